#!/bin/sh
# gallery: the pictures of tools/README.md, by the commands that stand there.
#   gallery.sh draw BUILD     draws each as SVG, and as DOT beside it
#   gallery.sh check BUILD    compares that DOT with what is drawn now: says which pictures are stale
# Compared is what a reader sees: nodes, arrows, classes, colours and words. Measured numbers and line widths
# are left out, which another processor may round differently; of a plan also times and their colours.
set -u
what=$1
build=$2
folder=tools/pictures
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export AUTOGRAD_GEMM=own AUTOGRAD_THREADS=1

seen() {
	sed -E -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' "$1" |
		sed -E -e '/the plan of one evaluation/,$ {
				s/#[0-9a-f]{6}/#/g
				s/[0-9.]+ (ns|µs|ms|s)\b/T/g
			}' \
			-e 's/-?[0-9]+(\.[0-9]+)?e-?[0-9]+/N/g' -e 's/-?[0-9]*\.[0-9]+/N/g' \
			-e 's/(penwidth|arrowsize)=[0-9N]+/\1=N/'
}

sed -n 's/^    autograd \(draw .*\) -o pictures\/\([a-z_]*\)\.svg$/\2 \1/p' tools/README.md >"$work/list"
[ -s "$work/list" ] || { echo "tools/README.md has no pictures"; exit 1; }
failed=0
while read -r name command; do
	case $what in
	draw)
		eval "'$build/autograd' $command -o $folder/$name.svg" &&
			eval "'$build/autograd' $command -o $folder/$name.dot" || failed=1
		;;
	check)
		if ! eval "'$build/autograd' $command -o '$work/$name.dot'"; then
			failed=1
			continue
		fi
		seen "$work/$name.dot" >"$work/now"
		seen "$folder/$name.dot" >"$work/then"
		cmp -s "$work/now" "$work/then" && continue
		echo "gallery: $folder/$name.svg is stale; run make gallery, and look at it:"
		diff "$work/then" "$work/now" | head -20
		failed=1
		;;
	esac
done <"$work/list"
exit $failed
