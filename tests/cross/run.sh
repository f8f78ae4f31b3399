#!/bin/sh
# The library for another system, and its tests as far as this machine runs that system's programs.
#
#   run.sh build TARGET     target/cross/TARGET: lib, bin, include and share, as `make install` has them
#   run.sh test TARGET      the same, and its tests
#   run.sh packages TARGET  the Debian packages that both need
#
# targets/TARGET.sh says what is peculiar to a target: variables (described below), and functions of this file that it puts others
# in the place of. PROFILE=checks builds faster than release, which is what is shipped.
#
# What is missing on this machine leads to a visible skip; where CI=true it is a failure.
set -eu

verb=${1:?build, test or packages} target=${2:?a target, as rustc names them}
cd "$(dirname "$0")/../.."
root=$PWD here=$PWD/tests/cross
out=$root/target/cross/$target
work=$root/target/cross/work/$target
profile=${PROFILE:-release}
cargo=${CARGO:-cargo}

packages=      # Debian packages beside those of `make deps`
tools=         # commands that must be there
cc=cc          # the C compiler, which also links the shared library; one word: it goes to cargo as well
linker=        # what links programs in Rust; nothing: the C compiler
nm=nm
runner=env     # what runs a program of the target; env: it runs as it is
bits=64        # of a pointer
real=libnanomsg.so.6.0.1 # the shared library's file
names="libnanomsg.so.6 libnanomsg.so.5 libnanomsg.so" # its links; the first is the name that programs ask for
private_libs=  # what programs with the static library link as well; nothing: as on Linux with glibc
link_flags="-lgcc_s -lc" # what the shared library is linked with
programs=      # those of ctests/ that run, or `all`
not_here=      # unit tests that are left out, each with its reason beside it

say() { echo "$target: $*" >&2; }
fail() { say "$@"; exit 1; }
skip() {
    test "${CI:-}" != true || fail "$@"
    say "skipped: $*"
    exit 0
}

test -f "$here/targets/$target.sh" || fail "known targets are $(cd "$here/targets" && echo *.sh | sed 's/\.sh//g')"

# ---- The standard library: rustup's, or built from the source that Debian's compiler brings. ----

find_std() {
    sysroot=$(rustc --print sysroot)
    std= rust_out=$root/target # what is built for this machine on the way is shared with its own builds
    if test -d "$sysroot/lib/rustlib/$target"; then return; fi
    if command -v rustup >/dev/null && rustup target add "$target" >/dev/null 2>&1; then return; fi
    sysroot=$(/usr/bin/rustc --print sysroot 2>/dev/null) || skip "there is no std (rustup target add $target, or Debian's rustc-web and rust-web-src)"
    test -f "$sysroot/lib/rustlib/src/rust/library/Cargo.toml" || skip "/usr/bin/rustc has no source of std (rust-web-src)"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    std=-Zbuild-std=std,panic_unwind rust_out=$work/rust
}

# Runs a verb of cargo for the target: `rust rustc --lib`.
rust() {
    rust_verb=$1
    shift
    # The names that cargo and the crate cc read.
    upper=$(echo "$target" | tr 'a-z-' 'A-Z_') lower=$(echo "$target" | tr - _)
    # shellcheck disable=SC2086
    env "CARGO_TARGET_${upper}_LINKER=${linker:-$cc}" "CARGO_TARGET_${upper}_RUNNER=$runner" "CC_$lower=$cc" \
        CARGO_TARGET_DIR="$rust_out" "$cargo" "$rust_verb" -q $std --target "$target" --profile "$profile" "$@"
}

# Where cargo puts what it has built.
built() { echo "$rust_out/$target/$profile"; }

# ---- Building. A target's file may have its own of each of these. ----

build_archive() {
    # Without assertions, as it is shipped.
    rust rustc --lib --crate-type staticlib -- -C debug-assertions=off
}

link_library() {
    make -s link CC="$cc" LINK_LIBS="$link_flags" ARCHIVE="$(built)/libnanomsg.a" STAGE="$work/lib" REAL="$real" NAMES="$names"
}

build_nanocat() {
    rust build --features cli --bin nanocat
    mkdir -p "$work/bin"
    cp "$(built)/nanocat" "$work/bin/nanocat"
}

# Names that the shared library exports, one a line.
exported() {
    "$nm" -D --defined-only "$work/lib/$real" | awk '{ print $3 }'
}

install_files() {
    rm -rf "$out"
    make -s -o build install DESTDIR= PREFIX="$out" STAGE="$work/lib" STAGED_CAT="$work/bin/nanocat" REAL="$real" \
        NAMES="$names" POINTER_SIZE=$((bits / 8)) ${private_libs:+PRIVATE_LIBS="$private_libs"}
}

build() {
    find_std
    mkdir -p "$work"
    build_archive
    link_library
    exported | LC_ALL=C sort | diff src/ffi/exports.txt - >&2 || fail "it exports other names than src/ffi/exports.txt"
    build_nanocat
    install_files
    say "built in ${out#"$root"/}"
}

# ---- Testing ----

run_unit_tests() {
    set --
    for name in $not_here; do set -- "$@" --skip "$name"; done
    rust test --lib -- "$@"
}

run_tests() {
    run_unit_tests
}

. "$here/targets/$target.sh"

if [ "$verb" = packages ]; then
    echo "$packages"
    exit
fi
for tool in $tools; do
    command -v "$tool" >/dev/null || skip "there is no $tool (Debian packages: $packages)"
done
case $verb in
build) build ;;
test) build && run_tests ;;
*) fail "there is no $verb" ;;
esac
