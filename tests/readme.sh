#!/bin/sh
# readme: does what the README says and compares what it shows.
#   readme.sh BUILD
# `<!-- file: NAME -->` before a block makes a file of it; in a console block each `$ ` line is run and the
# lines below it must be its output, where a line `...` stands for any lines and `…` for any text;
# `<!-- same as: FILE -->` says that the block is that file.
set -u
build=$1
root=$(pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for entry in autograd configs ops models tools; do
	ln -s "$root/$entry" "$work/$entry"
done
case $build in
/*) ln -s "$build" "$work/build" ;;
*) ln -s "$root/$build" "$work/build" ;;
esac

awk -v work="$work" '
	/^<!-- file: / { name = $3; next }
	/^<!-- same as: / { same = $4; next }
	/^```/ && !open {
		open = 1
		n++
		if (name != "") out = work "/" name
		else if (same != "") { out = work "/same." n; print same "\t" out > (work "/same.list") }
		else if ($0 ~ /^```console/) { out = work "/console." sprintf("%03d", n) }
		else out = "/dev/null"
		printf "" > out
		next
	}
	/^```/ && open { close(out); open = 0; name = same = ""; next }
	open { print > out }
' README.md

failed=0
say() {
	printf 'README: %s\n' "$1"
	failed=1
}

if [ -e "$work/same.list" ]; then
	while IFS='	' read -r file copy; do
		cmp -s "$file" "$copy" || say "the block that should be $file differs from it"
	done <"$work/same.list"
fi

# Output against a pattern: `...` is a gap of lines, `…` a gap in a line.
matches() {
	awk -v pattern="$1" '
		function fits(text, p,   parts, n, i, at) {
			n = split(p, parts, "…")
			if (n == 1) return text == p
			if (substr(text, 1, length(parts[1])) != parts[1]) return 0
			text = substr(text, length(parts[1]) + 1)
			for (i = 2; i <= n; i++) {
				at = index(text, parts[i])
				if (parts[i] != "" && !at) return 0
				if (parts[i] != "") text = substr(text, at + length(parts[i]))
			}
			return parts[n] == "" || text == ""
		}
		{ line[NR] = $0 }
		END {
			while ((getline p < pattern) > 0) want[++m] = p
			at = 1
			gap = 0
			for (k = 1; k <= m; k++) {
				if (want[k] == "...") { gap = 1; continue }
				while (gap && at <= NR && !fits(line[at], want[k])) at++
				if (at > NR || !fits(line[at], want[k])) exit 1
				at++
				gap = 0
			}
			exit !(gap || at == NR + 1)
		}'
}

run() {
	[ -n "$command" ] || return 0
	(cd "$work" && sh -c "$command") >"$work/output" 2>"$work/errors"
	status=$?
	if ! matches "$work/want" <"$work/output"; then
		say "'$command' printed other than the README shows (status $status):"
		cat "$work/output" "$work/errors"
	fi
}

for block in "$work"/console.*; do
	command=
	while IFS= read -r line; do
		case $line in
		'$ '*)
			run
			command=${line#'$ '}
			: >"$work/want"
			;;
		*) printf '%s\n' "$line" >>"$work/want" ;;
		esac
	done <"$block"
	run
done
for picture in gates.svg flow.svg; do
	[ -s "$work/$picture" ] || say "$picture was not drawn"
done
[ $failed = 0 ] && echo "ok - the README's commands and code do what it shows"
exit $failed
