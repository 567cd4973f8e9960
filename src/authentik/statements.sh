#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the .sql files named on the command line as one C header: each file a string statement_<name>, without comments.
# A line ":needed" becomes the list of that name in sql/role.sql.
set -eu
printf '/* Made from sql/statements by src/authentik/statements.sh. */\n#ifndef AUTHENTIK_STATEMENTS_H\n#define AUTHENTIK_STATEMENTS_H\n'
for file in "$@"; do
	name=$(basename "$file" .sql)
	printf '#define statement_%s \\\n' "$name"
	sed -n '/^-- needed/,/^-- end of needed/p' sql/role.sql | sed -e '/^:needed$/{r /dev/stdin' -e 'd;}' "$file" |
		sed -e '/^--/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^ */"/' -e 's/$/\\n" \\/'
	printf '\n'
done
printf '#endif\n'
