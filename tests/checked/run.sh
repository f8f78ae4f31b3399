#!/usr/bin/env bash
# Runs the C programs of ctests/ under something that watches memory or threads: tests/checked/run.sh WATCHER [PROGRAM...]
#
#   address   AddressSanitizer and LeakSanitizer in the library (nightly Rust) and in the programs (gcc)
#   thread    ThreadSanitizer, the same way; std is built with it as well (needs rust-src)
#   valgrind  memcheck on the library as it is built (make build)
#
# Each program must print what it always prints, and its watcher nothing. Without a list all of them run, but those that
# skipped.txt names. A tool that is missing is a visible skip.
set -euo pipefail
cd "$(dirname "$0")/../.."
watcher=$1
shift
out=target/checked/$watcher
mkdir -p "$out"

skip() {
    echo "skipped: $1" >&2
    exit 0
}

host=$(uname -m)-unknown-linux-gnu
flags=(-std=gnu11 -O1 -g -Wno-format-truncation -pthread -Iinclude)
case $watcher in
valgrind)
    command -v valgrind >/dev/null || skip "there is no valgrind"
    link=(-Ltarget/lib -l:libnanomsg.so.5 -Wl,-rpath,"$PWD/target/lib")
    run=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
        --fair-sched=yes --max-stackframe=4000000 --suppressions=tests/checked/valgrind.supp)
    ;;
address | thread)
    rustc +nightly --version >/dev/null 2>&1 || skip "there is no nightly Rust"
    std=()
    if [ "$watcher" = thread ]; then
        test -d "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library" || skip "there is no rust-src"
        std=(-Zbuild-std)
    fi
    RUSTFLAGS="-Zsanitizer=$watcher -Cdebug-assertions" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_TARGET_DIR=$out cargo +nightly rustc -q "${std[@]}" --release --lib --target "$host" --crate-type staticlib
    runtime=$(rustc +nightly --print target-libdir --target "$host")/librustc-nightly_rt.${watcher:0:1}san.a
    flags+=("-fsanitize=$watcher")
    # The runtime that belongs to the Rust compiler serves gcc's code too; the other way round names are missing.
    link=("$out/$host/release/libnanomsg.a" -fno-sanitize=all -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive
        -Wl,--export-dynamic -lm -ldl -lrt -lresolv)
    run=()
    ;;
*) echo "what is $watcher?" >&2 && exit 2 ;;
esac
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0:exitcode=99
export LSAN_OPTIONS=suppressions=tests/checked/lsan.supp:print_suppressions=0
export TSAN_OPTIONS=exitcode=99:halt_on_error=0:suppressions=tests/checked/tsan.supp

names=("$@")
if [ ${#names[@]} = 0 ]; then
    for file in ctests/*.c; do
        name=$(basename "$file" .c)
        grep -qE "^(all|$watcher) +$name( |$)" tests/checked/skipped.txt || names+=("$name")
    done
fi

failed=()
for name in "${names[@]}"; do
    bin=$out/$name
    ${CC:-cc} "${flags[@]}" -o "$bin" "ctests/$name.c" "${link[@]}"
    code=0
    timeout "${CHECKED_SECONDS:-180}" "${run[@]}" "$bin" >"$bin.out" 2>"$bin.err" || code=$?
    if [ $code = 77 ]; then
        echo "$name is skipped: $(cat "$bin.out")"
    elif [ $code != 0 ] || ! cmp -s "$bin.out" "ctests/expected/$name.out" ||
        grep -qE 'Sanitizer|^==[0-9]+==' "$bin.err"; then
        echo "== $name: exit code $code" >&2
        diff "ctests/expected/$name.out" "$bin.out" | head -20 >&2 || true
        head -"${CHECKED_LINES:-60}" "$bin.err" >&2
        failed+=("$name")
    else
        echo "$name"
    fi
done
if [ ${#failed[@]} != 0 ]; then
    echo "under $watcher: ${failed[*]}" >&2
    exit 1
fi
