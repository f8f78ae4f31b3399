#!/bin/sh
# A C program and a Python program, both on this library, talk over tcp and measure the latency.
#
#   NN_INCLUDE  where nanomsg/nn.h is    (include/ of this checkout)
#   NN_LIBDIR   where the library is     (target/lib/ of this checkout)
#   CC, PYTHON  the compiler and the interpreter
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
include=${NN_INCLUDE:-$top/include}
libdir=${NN_LIBDIR:-$top/target/lib}

library=
for name in libnanomsg.so libnanomsg.so.6 libnanomsg.dylib; do
    if [ -e "$libdir/$name" ]; then
        library=$libdir/$name
        break
    fi
done
if [ -z "$library" ]; then
    echo "no libnanomsg in $libdir: build the library first, or set NN_LIBDIR" >&2
    exit 1
fi

scratch=$(mktemp -d)
c_program=
clean_up() {
    if [ -n "$c_program" ]; then
        kill "$c_program" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

"${CC:-cc}" -Wall -O2 -I "$include" -o "$scratch/pair_demo" "$here/pair_demo.c" \
    "$library" -Wl,-rpath,"$libdir"

# The first line that the C program prints ends with its address; all of it is shown.
mkfifo "$scratch/said"
"$scratch/pair_demo" >"$scratch/said" &
c_program=$!
exec 3<"$scratch/said"
if ! IFS= read -r line <&3; then
    echo "the C program found no port to listen at" >&2
    exit 1
fi
printf '%s\n' "$line"
cat <&3 &
relay=$!

NANOMSG_LIBRARY=$library PYTHONPATH=$top/bindings/python PYTHONDONTWRITEBYTECODE=1 \
    "${PYTHON:-python3}" "$here/pair_demo.py" "${line##* }"

wait "$c_program"
c_program=
wait "$relay"
