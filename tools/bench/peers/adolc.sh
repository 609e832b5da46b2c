#!/bin/sh
# adolc.sh: builds adolc.cpp and runs it, where libadolc-dev is installed.
here=$(dirname "$0")
built=${BENCH_BUILD:-build}/peers
if ! [ -e /usr/include/adolc/adolc.h ]; then
	echo "absent: libadolc-dev is not installed"
	exit 0
fi
mkdir -p "$built" &&
	${CC:-cc} -O2 -march=native -c "$here/../data.c" -o "$built/data.o" &&
	${CXX:-c++} -O2 -march=native "$here/adolc.cpp" "$built/data.o" -ladolc -o "$built/adolc" &&
	exec "$built/adolc"
