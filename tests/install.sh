#!/bin/sh
# install: what `make install` leaves is enough for programs and for the command; `make uninstall` leaves nothing.
#   install.sh BUILD
set -eu
unset MAKEFLAGS MFLAGS
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
build=${build#"$root/"} # as make knows it, which else would link anew
into=$(mktemp -d)
trap 'rm -rf "$into"' EXIT
prefix=$into/usr

say() {
	printf 'install: %s\n' "$1"
	exit 1
}

make -s -C "$root" BUILD="$build" PREFIX="$prefix" install >"$into/log" 2>&1 || {
	cat "$into/log"
	say 'make install failed'
}
cd "$into"
# the first program of the README, and one that uses the other headers
awk '/^<!-- file: gates.c -->/ { open = 1; next } open && /^```$/ { exit } open && !/^```/' "$root/README.md" >gates.c
cat >model.c <<EOF
#include "autograd_draw.h"
#include "autograd_model.h"

int main(void)
{
	ad_model *m = ad_model_open("gates.yaml", 0, NULL);

	ad_model_messages(m, stdout, false);
	printf("errors: %d\\n", ad_model_errors(m));
	ad_model_close(m);
}
EOF
cp "$root/configs/gates.yaml" .
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"
for how in --shared --static; do
	for program in gates model; do
		# shellcheck disable=SC2046
		cc $program.c $(pkg-config --cflags --libs $how autograd) -o $program || say "$program.c does not compile $how"
		./$program >$program.out || say "$program does not run $how"
	done
	[ "$(cat gates.out model.out)" = 'f = -12  df/dx = -4
errors: 0' ] || say "the programs print other than they should: $(cat gates.out model.out)"
	# the archive alone the next time
	rm -f "$prefix"/lib/*.so*
done
"$prefix/bin/autograd" eval gates.yaml | grep -q '^f = -12$' || say 'the command does not work'
make -s -C "$root" BUILD="$build" PREFIX="$prefix" uninstall || say 'make uninstall failed'
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || say "make uninstall leaves $left"
echo 'ok - what make install leaves is enough'
