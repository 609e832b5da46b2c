#!/bin/sh
# tables: what is generated from the names and comments of the source files.
#   tables.sh prototypes ops/*.c   the C functions of all ops, documented: autograd_ops.h
#   tables.sh ops ops/*.c          the table of ops with their documentation
#   tables.sh plugin FILES         the same of a plugin's ops, and with plugin-prototypes their C functions
#   tables.sh list KIND FILES      the table of one kind (layer, format, optimizer), by file name
#   tables.sh lines NAME FILES     the lines of each file: NAME_page for page.html
set -eu
LC_ALL=C
export LC_ALL
what=$1
shift

# Functions that do nothing but call the op of their name with one or two inputs, as `NAME NUMBER INPUT...`. The number
# stands for the op in programs compiled against the header, so it comes from the name alone.
plain_calls() {
	awk '
		BEGIN { for (k = 32; k < 127; k++) code[sprintf("%c", k)] = k }
		function number(name,  h, k) {
			h = 5381
			for (k = 1; k <= length(name); k++)
				h = (h * 33 + code[substr(name, k, 1)]) % 4294967291
			return h
		}
		/^AD_API ad_node \*ad_[a-z0-9_]*\(ad_node \*[a-z0-9_]*(, ad_node \*[a-z0-9_]*)?\)$/ {
			name = $0; sub(/^AD_API ad_node \*ad_/, "", name); sub(/\(.*/, "", name)
			in_ = $0; sub(/^[^(]*\(/, "", in_); sub(/\)$/, "", in_); gsub(/ad_node \*/, "", in_)
			next
		}
		name != "" && /^\{$/ { next }
		name != "" && $0 == "\treturn AD_CALL(" name ", " in_ ");" {
			h = number(name)
			if (h < 256 || h in taken) { # lower ones are of leaves
				print "ad_" name " cannot have the number " h > "/dev/stderr"
				exit 1
			}
			taken[h] = name
			gsub(/,/, "", in_)
			printf "%s %.0f %s\n", name, h, in_
		}
		{ name = "" }
	' "$@"
}

# The C functions of the ops in the files, documented.
prototypes() {
	awk '
		/^\/\*/ { note = ""; inside = 1 }
		inside { note = note $0 "\n"; if (/\*\//) inside = 0; next }
		/^AD_API/ { sub(/^AD_API /, ""); printf "\n%s", note; open = 1 }
		open {
			last = /[{;]/
			sub(/[ \t]*[{;].*/, "")
			if ($0 != "") print
			if (last) { open = 0; note = "" }
			next
		}
		!/^[ \t]*$/ { note = "" }
	' "$@" | awk '
		# a prototype ends where the body began: put the semicolon there
		/^\/\*/ || /^ \*/ || /^$/ { if (held != "") { print held ";"; held = "" } print; next }
		{ if (held != "") print held; held = $0 }
		END { if (held != "") print held ";" }'
}

# The rows of the ops of the files, which must be complete: NAME[] of struct op_row.
rows() {
	array=$1
	shift
	bad=0
	for file in "$@"; do
		name=$(basename "$file" .c)
		if ! sed -n '1,2p' "$file" | grep -q "^ \* $name: "; then
			echo "$file:1: an op's file opens with a comment '/*', ' * $name: formula'" >&2
			bad=1
		fi
		grep -q '\.samples *=' "$file" || {
			echo "$file: an op needs .samples, with known values" >&2
			bad=1
		}
		tr -d ' \t\n' <"$file" | grep -q "AD_OP($name," || {
			echo "$file: no AD_OP($name, ...); an op is named like its file" >&2
			bad=1
		}
	done
	[ $bad = 0 ] || exit 1
	for file in "$@"; do
		name=$(basename "$file" .c)
		echo "extern const ad_op ad_op_${name}_f32_0;"
	done
	echo "const struct op_row $array[] = {"
	for file in "$@"; do
		name=$(basename "$file" .c)
		printf '\t{ &ad_op_%s_f32_0,\n' "$name"
		awk 'NR == 1 { next } /^ \*\// { exit }
			{ sub(/^ \* ?/, ""); gsub(/[\\"?]/, "\\\\&"); printf "\t  \"%s\\n\"\n", $0 }' "$file"
		printf '\t  , NULL },\n'
	done
	printf '};\n'
}

case $what in
prototypes)
	echo '/* Generated from the AD_API functions in ops/. Do not edit. */'
	echo '#ifndef AUTOGRAD_OPS_H'
	echo '#define AUTOGRAD_OPS_H'
	echo '#ifdef __cplusplus'
	echo 'extern "C" {'
	echo '#endif'
	prototypes "$@"
	echo
	echo '/* See ad_path in autograd.h. */'
	calls=$(plain_calls "$@")
	printf '%s\n' "$calls" | awk '
		NF == 3 { printf "AD_SAME_CALL_1(%s, %su, %s)\n", $1, $2, $3 }
		NF == 4 { printf "AD_SAME_CALL_2(%s, %su, %s, %s)\n", $1, $2, $3, $4 }'
	echo '#ifdef __cplusplus'
	echo '}'
	echo '#endif'
	echo '#endif'
	;;
ops)
	echo '/* Generated from the files in ops/. Do not edit. */'
	echo '#include "registry.h"'
	rows op_table "$@"
	printf 'const size_t op_table_size = %d;\n' $#
	calls=$(plain_calls "$@")
	echo 'const struct op_number op_numbers[] = {'
	printf '%s\n' "$calls" | awk '{ printf "\t{ &ad_op_%s_f32_0, %su, %d },\n", $1, $2, NF - 2 }
		END { printf "\t{ NULL, 0, 0 }\n};\n" }'
	;;
plugin)
	echo '#include "plugin.h"'
	rows plugin_ops "$@"
	echo 'AD_PLUGIN(plugin_ops);'
	;;
plugin-prototypes)
	echo '#include "op.h"'
	prototypes "$@"
	;;
list)
	kind=$1
	shift
	echo '/* Generated from the file names. Do not edit. */'
	echo '#include "model.h"'
	for file in "$@"; do
		echo "extern const struct $kind ${kind}_$(basename "$file" .c);"
	done
	echo "const struct $kind *const ${kind}s[] = {"
	for file in "$@"; do
		printf '\t&%s_%s,\n' "$kind" "$(basename "$file" .c)"
	done
	printf '\tNULL\n};\n'
	;;
lines)
	name=$1
	shift
	echo '/* Generated from files of text. Do not edit. */'
	echo '#include <stddef.h>'
	for file in "$@"; do
		base=${file##*/}
		array=${name}_${base%.*}
		echo "extern const char *const $array[];"
		echo "const char *const $array[] = {"
		sed 's/[\\"?]/\\&/g; s/.*/"&\\n",/' "$file"
		printf '\tNULL\n};\n'
	done
	;;
*)
	echo "tables.sh: unknown table '$what'" >&2
	exit 2
	;;
esac
