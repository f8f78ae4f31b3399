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
soname=        # the name in the CMake package, where it is not the first of those
private_libs=  # what programs with the static library link as well; nothing: as on Linux with glibc
link_flags="-lgcc_s -lc" # what the shared library is linked with
not_here=      # unit tests that are left out, and programs of ctests/; each with its reason beside it
programs_not_here=
# Programs of ctests/ that run: the C interface and its structures, addresses, the wire, and each pattern.
programs="symbols errors errno_kept layout memory cmsg handles endpoints addr_generic addr_inproc addr_ipc addr_unix addr_abstract
    addr_tcp addr_ws options_socket options_ws ws_types iovec ownership aligned msghdr_control timeouts poll event_fds
    pair_sizes sizes wire_greeting wire_frames wire_limits wire_patterns overflow conflate tls
    pipeline pubsub bus reqrep_cooked reqrep_raw survey_cooked survey_raw device statistics fork"
# Scenes of tests/interop.rs.
interop="large pair_and_pair::debian_binds_tcp pair_and_pair::debian_connects_tcp req_and_rep::debian_binds_tcp
    req_and_rep::debian_connects_tcp rep_and_req::debian_binds_tcp rep_and_req::debian_connects_tcp
    publisher_and_sub::debian_binds_tcp publisher_and_sub::debian_connects_tcp sub_and_publisher::debian_binds_tcp
    sub_and_publisher::debian_connects_tcp pair_and_pair::debian_binds_ws pair_and_pair::debian_connects_ws
    surveyor_and_respondent::debian_binds_tcp respondent_and_surveyor::debian_binds_tcp"

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

# What else there is to know of the shared library.
check_library() { :; }

install_files() {
    rm -rf "$out"
    make -s -o build install DESTDIR= PREFIX="$out" STAGE="$work/lib" STAGED_CAT="$work/bin/nanocat" REAL="$real" \
        NAMES="$names" ${soname:+SONAME="$soname"} POINTER_SIZE=$((bits / 8)) ${private_libs:+PRIVATE_LIBS="$private_libs"}
}

build() {
    find_std
    mkdir -p "$work"
    build_archive
    link_library
    exported | LC_ALL=C sort | diff src/ffi/exports.txt - >&2 || fail "it exports other names than src/ffi/exports.txt"
    check_library
    build_nanocat
    install_files
    say "built in ${out#"$root"/}"
}

# ---- Testing. A target's file may have its own of each of these. ----

run_unit_tests() {
    set --
    for name in $not_here; do set -- "$@" --skip "$name"; done
    NN_RUNNER=$runner rust test --lib -- "$@"
}

# Tests of this machine, about programs of the other one. They are built as `make test` builds them.
against() {
    test=$1
    shift
    NN_RUNNER=$runner NN_LIB_DIR=$out/lib NN_BITS=$bits "$cargo" test -q --profile checks --features cli --test "$test" -- "$@"
}

run_programs() {
    set -- --exact
    for name in $programs; do
        case " $programs_not_here " in *" $name "*) ;; *) set -- "$@" "program::$name" ;; esac
    done
    NN_CROSS_CC=$cc NN_OURS_ONLY=1 against ctests "$@"
}

# With Debian's library, and with this machine's build of ours, in whichever place Debian's has; either side binds.
run_interop() {
    make -s library
    NN_CROSS_CC=$cc against interop $interop
    NN_CROSS_CC=$cc NN_NATIVE_LIB_DIR=$root/target/lib against interop $interop
}

run_tests() {
    run_unit_tests
    run_programs
    run_interop
    say "its tests have passed"
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
