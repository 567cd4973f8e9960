#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the .sql files named on the command line as one C header: each file a string statement_<name>, without comments.
set -eu
printf '/* Made from sql/statements by src/authentik/statements.sh. */\n#ifndef AUTHENTIK_STATEMENTS_H\n#define AUTHENTIK_STATEMENTS_H\n'
for file in "$@"; do
	name=$(basename "$file" .sql)
	printf '#define statement_%s \\\n' "$name"
	sed -e '/^--/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^ */"/' -e 's/$/\\n" \\/' "$file"
	printf '\n'
done
printf '#endif\n'
