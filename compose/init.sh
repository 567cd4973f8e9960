#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes what the workers need in the database that PG* name: the role, with the password that is in the file
# EVENT_MATCHER_ROLE_PASSWORD_FILE, and the indexes. Before that it loads the files of /sql that EVENT_MATCHER_LOAD names. It
# runs as a service of its own (compose.authentik.yaml), or where PostgreSQL's image makes the database (compose.yaml).
set -eu
export PGUSER="${PGUSER:-$POSTGRES_USER}" PGDATABASE="${PGDATABASE:-$POSTGRES_DB}"
run() {
	psql -X -q -v ON_ERROR_STOP=1 -o /dev/null "$@"
}

for name in ${EVENT_MATCHER_LOAD:-}; do
	run -f "/sql/$name.sql"
done
if [ ! -s "$EVENT_MATCHER_ROLE_PASSWORD_FILE" ]; then
	echo "init: making a password in $EVENT_MATCHER_ROLE_PASSWORD_FILE"
	(umask 333 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$EVENT_MATCHER_ROLE_PASSWORD_FILE.new")
	mv "$EVENT_MATCHER_ROLE_PASSWORD_FILE.new" "$EVENT_MATCHER_ROLE_PASSWORD_FILE"
fi
# On a command line others would see the password.
said=$(run 2>&1 <<'END'
\set password `cat "$EVENT_MATCHER_ROLE_PASSWORD_FILE"`
\i /sql/role.sql
END
) || { echo "$said" >&2; exit 1; }
case $said in
*"needed, but missing"*)
	echo "init: authentik has not made all its tables; this is to run again:" >&2
	echo "$said" | grep "needed, but missing" >&2
	exit 1
	;;
esac
PGOPTIONS="-c client_min_messages=warning" run -f /sql/index.sql
echo "init: the role event_matcher and the indexes are there"
