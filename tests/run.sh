#!/bin/sh
# run: all tests of one build; Criterion's summary closes the output.
#   run.sh BUILD SAN PLAIN-PROGRAMS...
# Criterion passes a test whose leaks or whose children's faults a sanitizer reports, and a run that
# found no test at all: so reports go to files that must not exist, and the count has a floor.
set -u
build=$(cd "$1" && pwd)
san=$2
shift 2
floor=700

reports=$build/reports
rm -rf "$reports"
mkdir -p "$reports"
export AUTOGRAD_BIN="$build/autograd"
export ASAN_OPTIONS="log_path=$reports/asan:detect_leaks=1:strict_string_checks=1"
export UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1"
export TSAN_OPTIONS="log_path=$reports/tsan:exitcode=1"
export AUTOGRAD_BUILD="$build"

failed=0
for program in "$@"; do
	"$program" || {
		echo "FAILED: $program"
		failed=1
	}
done
if [ -z "$san" ]; then
	sh tests/readme.sh "$build" || failed=1
	sh tests/install.sh "$build" || failed=1
	sh tests/node/run.sh "$build" || failed=1
	sh tools/gallery.sh check "$build" || failed=1
fi
if [ "$san" != thread ]; then
	"$build/run-tests" >"$reports/output" 2>&1
	status=$?
	# under a sanitizer the status also tells of bytes that Criterion itself loses; its summary does not
	[ $status = 0 ] || [ "$san" = 1 ] || failed=1
	summary=$(sed 's/\x1b\[[0-9;]*m//g' "$reports/output" | grep 'Synthesis: Tested: ' | head -1)
	case $summary in
	*'Failing: 0 | Crashing: 0 '*) ;;
	*) failed=1 ;;
	esac
	tested=$(printf '%s\n' "$summary" | sed 's/.*Tested: \([0-9]*\).*/\1/')
	if [ "${tested:-0}" -lt $floor ]; then
		echo "only ${tested:-0} tests ran; there are at least $floor"
		failed=1
	fi
fi
for file in "$reports"/asan* "$reports"/ubsan* "$reports"/tsan*; do
	[ -e "$file" ] || continue
	# Criterion loses a few bytes of its own; a report without a line of this project is not ours
	grep -qE '(autograd|ops|models|tools|tests)/[a-z_0-9/]*\.[ch]:[0-9]' "$file" || continue
	cat "$file"
	failed=1
done
[ ! -e "$reports/output" ] || grep -v '^\[RUN \]\|^\[PASS\]' "$reports/output"
exit $failed
