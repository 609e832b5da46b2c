#!/bin/sh
# build: a plugin from the files of ops, each compiled for every type and set of instructions, as ops/ is.
#   build.sh KIT PLUGIN FILE.c...
# KIT is the folder with this file, tables.sh, flags.sh and the headers; what is made on the way goes there. The
# compiler is $CC, else cc; $CFLAGS and $LDLIBS are added to what it is given.
set -eu
kit=$1 plugin=$2 running=
shift 2
# Who waits for this ends at once by such a signal.
# shellcheck disable=SC2086
trap 'kill $running 2>/dev/null || :; wait; rm -rf "$kit" "$plugin"; exit 130' INT TERM HUP
. "$kit/flags.sh"
CC=${CC:-cc}
umask o-w # a plugin that everybody may write to is not loaded

command -v "${CC%% *}" >/dev/null || {
	echo "autograd op: the compiler '${CC%% *}' is missing: install the package gcc, or name another in \$CC" >&2
	exit 2
}

# FILE OBJECT VARIANT FLAGS...
compile() {
	file=$1 object=$2 variant=$3
	shift 3
	case $variant in
	f64_*) real=-DAD_F64 ;;
	*) real= ;;
	esac
	eval "set=\$LEVEL_${variant#*_}"
	# shellcheck disable=SC2086,SC2154
	$CC $FLAGS $set $real -DAD_LEVEL="${variant#*_}" -I"$kit" ${CFLAGS-} "$@" -c "$file" -o "$kit/$object"
}

# A path such as lr=0.1/swish.c would be an assignment to awk.
for source in "$@"; do
	shift
	case $source in
	/* | ./*) ;;
	*=*) source=./$source ;;
	esac
	set -- "$@" "$source"
done

sh "$kit/tables.sh" plugin-prototypes "$@" >"$kit/plugin_ops.h"
sh "$kit/tables.sh" plugin "$@" >"$kit/plugin.c"
compile "$kit/plugin.c" plugin.o f32_0

base=${VARIANTS%% *}
for source in "$@"; do
	name=$(basename "$source" .c)
	# what the compiler has to say it says once
	compile "$source" "$name.$base.o" "$base" -Wall -Wextra -Wno-unused-parameter \
		-Werror=implicit-function-declaration -include "$kit/plugin_ops.h"
	running=
	for other in ${VARIANTS#* }; do
		compile "$source" "$name.$other.o" "$other" -w -include "$kit/plugin_ops.h" &
		running="$running $!"
	done
	failed=0
	for one in $running; do
		wait "$one" || failed=1
	done
	[ $failed = 0 ]
done

# shellcheck disable=SC2086
$CC -shared ${CFLAGS-} "$kit"/*.o -o "$plugin" ${LDLIBS-} -lm
