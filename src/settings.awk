# SPDX-License-Identifier: MIT
# Fills a text: awk -f settings.awk settings.def TEXT.in prints it, with a row of settings.def each as an item of a manual page
# for @SETTINGS@, or as a comment and a line that a settings file may have for @LINES@.

# A row may take several lines; its quoted texts are the default and the help.
/^SETTING\(/ {
	row = $0
	while (row !~ /\)$/ && (getline line) > 0)
		row = row line
	split(row, part, "\"")
	name = part[1]
	gsub(/^SETTING\(|,.*/, "", name)
	help = toupper(substr(part[4], 1, 1)) substr(part[4], 2)
	if (part[3] ~ /RESTART/)
		help = help "; kept until a restart"
	items = items ".It Cm " name " Pq default: " (part[2] == "" ? "none" : part[2]) "\n" help ".\n"
	lines = lines "\n# " help ".\n#" name " =" (part[2] == "" ? "" : " " part[2]) "\n"
}

# The text itself.
FNR != NR && $0 == "@SETTINGS@" { printf "%s", items }
FNR != NR && $0 == "@LINES@" { printf "%s", lines }
FNR != NR && $0 !~ /^@(SETTINGS|LINES)@$/
