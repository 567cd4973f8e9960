# SPDX-License-Identifier: MIT
# Fills the manual page: awk -f settings.awk settings.def PAGE.in prints the page, with an item a row for @SETTINGS@.

# A row may take several lines; its quoted texts are the default and the help.
/^SETTING\(/ {
	row = $0
	while (row !~ /\)$/ && (getline line) > 0)
		row = row line
	split(row, part, "\"")
	name = part[1]
	gsub(/^SETTING\(|,.*/, "", name)
	default_value = part[2] == "" ? "none" : part[2]
	help = toupper(substr(part[4], 1, 1)) substr(part[4], 2)
	if (part[3] ~ /RESTART/)
		help = help "; kept until a restart"
	items = items ".It Cm " name " Pq default: " default_value "\n" help ".\n"
}

# The page itself.
FNR != NR && $0 == "@SETTINGS@" { printf "%s", items }
FNR != NR && $0 != "@SETTINGS@"
