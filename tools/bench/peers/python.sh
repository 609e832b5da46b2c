#!/bin/sh
# python.sh SCRIPT [ARG ...]: a peer in Debian's Python, with what makes PyTorch fastest: OpenBLAS on OpenMP's own
# threads (libopenblas0-openmp, or the folder BENCH_BLAS with a libblas.so.3), and with W3 and W4, which have large
# temporaries, a malloc that keeps pages (libtcmalloc-minimal4).
python=/usr/bin/python3
if [ ! -x $python ]; then
	echo "absent: $python is not there"
	exit 0
fi
for folder in "$BENCH_BLAS" /usr/lib/*/openblas-openmp; do
	if [ -n "$folder" ] && [ -e "$folder/libblas.so.3" ]; then
		LD_LIBRARY_PATH=$folder
		export LD_LIBRARY_PATH
		break
	fi
done
case $1 in
w3.py | w4.py)
	for malloc in /usr/lib/*/libtcmalloc_minimal.so.4; do
		if [ -e "$malloc" ]; then
			LD_PRELOAD=$malloc
			export LD_PRELOAD
		fi
	done
	;;
esac
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
script=$(dirname "$0")/$1
shift
exec $python "$script" "$@"
