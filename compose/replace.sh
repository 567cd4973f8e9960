#!/bin/sh
# SPDX-License-Identifier: MIT
# Replaces the containers of ours one by one, by such of the image and the settings as they are now: a new one is started
# and healthy before an old one is ended. Run where docker-compose up is, or docker compose up, where there is no docker-compose;
# COMPOSE names another program.
set -eu
: "${COMPOSE:=$(command -v docker-compose || echo docker compose)}"

old=$($COMPOSE ps -q event-matcher)
more=$(($(echo "$old" | wc -l) + 1))

# Only the new ones are waited for: an old one that is not healthy holds nothing up.
new_are_healthy() {
	for container in $($COMPOSE ps -q event-matcher); do
		case $old in
		*"$container"*) continue ;;
		esac
		[ "$(docker inspect -f '{{.State.Health.Status}}' "$container")" = healthy ] || return 1
	done
}

for leaving in $old; do
	$COMPOSE up -d --no-build --no-deps --no-recreate --scale "event-matcher=$more" event-matcher
	seconds=0
	until new_are_healthy; do
		[ $((seconds += 1)) -le 120 ] || { echo "replace: the new container is not healthy; the old ones serve on" >&2; exit 1; }
		sleep 1
	done
	docker stop "$leaving" >/dev/null
	docker rm "$leaving" >/dev/null
done
