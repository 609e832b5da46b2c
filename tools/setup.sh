#!/bin/sh
# setup: installs the Debian packages named as arguments that are missing, or says which they are.
# One that ends with a question mark is not needed: it is installed where Debian has it.
set -eu
missing=
for package in "$@"; do
	case $package in
	*\?)
		package=${package%\?}
		apt-cache show "$package" >/dev/null 2>&1 || continue
		;;
	esac
	dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup: please install these libraries and programs (Debian's names):$missing" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "setup: as root, run: apt-get install$missing" >&2
		exit 1
	}
	sudo=sudo
fi
echo "setup: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq >&2
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >&2
