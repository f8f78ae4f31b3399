#!/bin/sh
# The unit tests, and the C programs, on 32 bits. std is built as well, by a compiler that has its source: Debian's
# (packages rustc-web, rust-web-src and gcc-multilib), or another one named by RUSTC32.
#
# Programs that show sizes of the C structures print another text here. All they check has to hold, and where Debian's
# library is there for i386 (LIBNANOMSG32, or where its package puts it), they are compared with that one.
set -eu

cd "$(dirname "$0")/../.."
target=i686-unknown-linux-gnu
work=$PWD/target/i686
compiler=${RUSTC32:-/usr/bin/rustc}
cargo=${CARGO:-cargo}
original=${LIBNANOMSG32:-/usr/lib/i386-linux-gnu/libnanomsg.so.5}
sizes="layout symbols cmsg msghdr_control ws_types"
# The other two show padding as well, which the original leaves as it was: here there is some where there is none on 64 bits.
same="layout symbols ws_types"

skip() {
    echo "skipped: $1" >&2
    exit 0
}
sysroot=$("$compiler" --print sysroot 2>/dev/null) || skip "there is no $compiler"
test -f "$sysroot/lib/rustlib/src/rust/library/Cargo.toml" || skip "$compiler has no source of std"
echo 'int main(void) { return 0; }' | gcc -m32 -x c -o /dev/null - 2>/dev/null || skip "gcc cannot compile for 32 bits"

narrow() {
    verb=$1
    shift
    RUSTC=$compiler RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work \
        "$cargo" "$verb" -q -Zbuild-std=std,panic_unwind --target $target --profile checks --lib "$@"
}

narrow test
# Without assertions, as in tests/mutations/run.py.
narrow rustc --crate-type staticlib -- -C debug-assertions=off
make -s link CC='gcc -m32' ARCHIVE="$work/$target/checks/libnanomsg.a" STAGE="$work/lib"

set -- program
for name in $sizes; do set -- "$@" --skip "program::$name"; done
env -u CI CC="$PWD/tests/i686/cc" NN_LIB_DIR="$work/lib" "$cargo" test -q --profile checks --test ctests -- "$@"

for name in $sizes; do
    gcc -m32 -std=gnu11 -Iinclude -o "$work/$name" "ctests/$name.c" "$work/lib/libnanomsg.so.5" -lpthread
    LD_LIBRARY_PATH="$work/lib" timeout 100 "$work/$name" >"$work/$name.ours"
done

test -f "$original" || skip "there is no 32-bit libnanomsg, with which $same could be compared"
mkdir -p "$work/original"
cp "$original" "$work/original/libnanomsg.so.6" # what the programs ask for
for name in $same; do
    NN_ORACLE=1 LD_LIBRARY_PATH="$work/original" timeout 100 "$work/$name" >"$work/$name.original"
    diff "$work/$name.original" "$work/$name.ours" || { echo "$name prints something else" >&2; exit 1; }
done
echo "on 32 bits as in Debian's library: $same"
