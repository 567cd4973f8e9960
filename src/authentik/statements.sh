#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the .sql files named on the command line as one C header, each file a string statement_<name> without comments, and
# the two parts of sql/role.sql that other statements have as variables: the layout, the list of what is needed.
set -eu
# The string of what comes in, line by line.
define() {
	printf '#define statement_%s \\\n' "$1"
	sed -e '/^--/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^ */"/' -e 's/$/\\n" \\/'
	printf '\n'
}
printf '/* Made from sql/ by src/authentik/statements.sh. */\n#ifndef AUTHENTIK_STATEMENTS_H\n#define AUTHENTIK_STATEMENTS_H\n'
for part in layout needed; do
	sed -n "/^-- $part:/,/^-- end of $part/p" sql/role.sql | define $part
done
for file in "$@"; do
	define "$(basename "$file" .sql)" <"$file"
done
printf '#endif\n'
