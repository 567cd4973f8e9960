#!/bin/bash
# SPDX-License-Identifier: MIT
# As the entry points of the public images of PostgreSQL and authentik, as much of them as the Compose files use.
set -euo pipefail

make_database() {
	local password=${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}
	initdb -D "$PGDATA" -U "$POSTGRES_USER" --auth-local=trust --auth-host=scram-sha-256 --no-sync \
		-E UTF8 --locale=C.UTF-8 --pwfile=<(echo "$password")
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
	pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses="
	[ "$POSTGRES_DB" = postgres ] || createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
	for script in /docker-entrypoint-initdb.d/*.sh; do
		[ ! -x "$script" ] || "$script"
	done
	pg_ctl -D "$PGDATA" -w -m fast stop
}

run_postgres() {
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres /var/run/postgresql "$PGDATA"
		exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" postgres
	fi
	export POSTGRES_USER=${POSTGRES_USER:-postgres}
	export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
	[ -s "$PGDATA/PG_VERSION" ] || make_database
	exec postgres -D "$PGDATA" -c listen_addresses='*'
}

# Says what it was asked, and that it was authentik that was.
run_server() {
	cat >/tmp/nginx.conf <<-'END'
		daemon off;
		error_log stderr;
		pid /tmp/nginx.pid;
		events {}
		http {
			access_log off;
			server {
				listen 9000;
				add_header X-Authentik 1 always;
				location / { return 200 "authentik: $request_method $http_host$request_uri $http_x_forwarded_proto\n"; }
			}
		}
	END
	exec nginx -c /tmp/nginx.conf
}

case $1 in
postgres) run_postgres ;;
server) run_server ;;
worker) exec sleep infinity ;;
*) exec "$@" ;;
esac
