#!/bin/sh
# run: the tests that Node.js runs: the report's page in headless Chromium, model files in an editor.
#   run.sh BUILD    runs them; of those for which something is missing it says so, which is a failure
#                   with AUTOGRAD_REQUIRE_NODE set
#   run.sh --setup  fetches the packages that package-lock.json names
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "$1" = --setup ]; then
	cd "$here" && exec npm ci --no-audit --no-fund --loglevel=error
fi
build=$(cd "$1" && pwd)
cd "$here" || exit 1

tests=
failed=0
# needs TEST WHAT...: runs TEST if each program and each package is there
needs() {
	test=$1
	missing=
	shift
	for what in node "$@"; do
		command -v "$what" >/dev/null || [ -d "node_modules/$what" ] || missing="${missing:+$missing, }$what"
	done
	if [ -z "$missing" ]; then
		tests="$tests $test"
		return
	fi
	echo "tests/node/$test: not run, as these are missing: $missing; make node-setup installs them"
	[ -z "${AUTOGRAD_REQUIRE_NODE-}" ] || failed=1
}
needs report.test.mjs "${CHROMIUM:-/usr/bin/chromium}" playwright-core
needs editor.test.mjs yaml-language-server vscode-jsonrpc
if [ -n "$tests" ]; then
	# shellcheck disable=SC2086
	AUTOGRAD_BIN="$build/autograd" node --test --test-reporter=dot $tests || failed=1
fi
exit $failed
