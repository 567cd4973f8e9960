# SPDX-License-Identifier: MIT
# Fills a text from the tables: awk -f tables.awk settings.def events.def TEXT prints it. A row of settings.def each becomes an
# item of a manual page for @SETTINGS@, or a comment and a line that a settings file may have for @LINES@; a row of events.def an
# item for @EVENTS@, or of a Markdown table between two lines <!-- events -->, instead of what stands there.

function sentence(text) {
	return toupper(substr(text, 1, 1)) substr(text, 2) "."
}

# A row may take several lines; what it quotes is part[2], part[4] and so on.
function read_row(    row, line) {
	row = $0
	while (row !~ /\)$/ && (getline line) > 0)
		row = row line
	split(row, part, "\"")
	name = part[1]
	gsub(/^[A-Z]+\(|,.*/, "", name)
}

/^SETTING\(/ {
	read_row()
	help = sentence(part[4] (part[3] ~ /RESTART/ ? "; kept until a restart" : ""))
	items = items ".It Cm " name " Pq default: " (part[2] == "" ? "none" : part[2]) "\n" help "\n"
	lines = lines "\n# " help "\n#" name " =" (part[2] == "" ? "" : " " part[2]) "\n"
}

/^EVENT\(/ {
	read_row()
	level = tolower(part[1])
	gsub(/^[^,]*,[ \t]*|,[ \t]*$/, "", level)
	events = events ".It Li " name " Pq " level "\n" sentence(part[2]) "\n"
	events_table = events_table "| `" name "` | " level " | " part[2] " | " part[4] " |\n"
}

# The text itself.
FILENAME ~ /\.def$/ { next }
in_table && !/^<!-- events -->$/ { next }
$0 == "@SETTINGS@" { printf "%s", items; next }
$0 == "@LINES@" { printf "%s", lines; next }
$0 == "@EVENTS@" { printf "%s", events; next }
{ print }
/^<!-- events -->$/ {
	in_table = !in_table
	if (in_table)
		printf "\n| event | level | what has happened | what to do |\n| --- | --- | --- | --- |\n%s\n", events_table
}
