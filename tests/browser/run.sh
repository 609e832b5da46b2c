#!/bin/sh
# run: the tests of the report's page in headless Chromium.
#   run.sh BUILD    runs them; where something is missing it says so, which is a failure with
#                   AUTOGRAD_REQUIRE_BROWSER set
#   run.sh --setup  fetches the packages that package-lock.json names
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "$1" = --setup ]; then
	cd "$here" && exec npm ci --no-audit --no-fund --loglevel=error
fi
build=$(cd "$1" && pwd)

missing=
command -v node >/dev/null || missing=node
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing="${missing:+$missing, }chromium"
[ -d "$here/node_modules/playwright-core" ] || missing="${missing:+$missing, }playwright-core"
if [ -n "$missing" ]; then
	echo "browser tests: not run, as these are missing: $missing; make browser-setup installs them"
	[ -z "${AUTOGRAD_REQUIRE_BROWSER-}" ]
	exit
fi
cd "$here" && AUTOGRAD_BIN="$build/autograd" exec node --test --test-reporter=dot
