#!/usr/bin/env bash
# Runs the C programs of ctests/ under something that watches memory or threads: tests/checked/run.sh WATCHER [PROGRAM...]
#
#   address   AddressSanitizer and LeakSanitizer in the library (nightly Rust) and in the programs (gcc)
#   thread    ThreadSanitizer, the same way; std is built with it as well (needs rust-src)
#   valgrind  memcheck on the library as it is built (make build)
#
# Each program must print what it always prints, and its watcher nothing. Without a list all of them run, but those that
# exceptions.txt names. A tool that is missing is a visible skip.
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
    command -v valgrind >/dev/null || { test "${CI:-}" = true && echo "there is no valgrind" >&2 && exit 1; } ||
        skip "there is no valgrind"
    link=(-Ltarget/lib -l:libnanomsg.so.5 -Wl,-rpath,"$PWD/target/lib")
    run=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
        --fair-sched=yes --max-stackframe=4000000)
    ;;
address | thread)
    rustc +nightly --version >/dev/null 2>&1 || skip "there is no nightly Rust"
    std=()
    if [ "$watcher" = thread ]; then
        test -d "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library" || skip "there is no rust-src"
        std=(-Zbuild-std)
    fi
    RUSTFLAGS="-Zsanitizer=$watcher" \
        CARGO_TARGET_DIR=$out cargo +nightly rustc -q "${std[@]}" --profile checks --lib --target "$host" --crate-type staticlib
    runtime=$(rustc +nightly --print target-libdir --target "$host")/librustc-nightly_rt.${watcher:0:1}san.a
    flags+=("-fsanitize=$watcher")
    # The runtime that belongs to the Rust compiler serves gcc's code too; the other way round names are missing.
    link=("$out/$host/checks/libnanomsg.a" -fno-sanitize=all -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive
        -Wl,--export-dynamic -lm -ldl -lrt -lresolv)
    run=(env)
    ;;
*) echo "what is $watcher?" >&2 && exit 2 ;;
esac
asan=detect_stack_use_after_return=1:allocator_may_return_null=1:exitcode=99
export TSAN_OPTIONS=exitcode=99:halt_on_error=0:allocator_may_return_null=1

# Whether exceptions.txt names the program ($2) under this watcher for something ($1).
excepted() {
    grep -qE "^$1 +(all|$watcher) +$2( |$)" tests/checked/exceptions.txt
}

# As the expected text is stored: no bytes that are not ASCII where they are not UTF-8.
printed() {
    if iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1; then cat "$1"; else
        LC_ALL=C awk 'BEGIN { for (i = 128; i < 256; i++) name[sprintf("%c", i)] = sprintf("\\x%02x", i) }
            { n = length($0); line = ""; for (i = 1; i <= n; i++) { c = substr($0, i, 1); line = line (c in name ? name[c] : c) }; print line }' "$1"
    fi
}

names=("$@")
if [ ${#names[@]} = 0 ]; then
    for file in ctests/*.c; do
        name=$(basename "$file" .c)
        excepted skip "$name" || names+=("$name")
    done
fi

check() {
    local name=$1 bin=$out/$1 code=0 leaks=1
    ${CC:-cc} "${flags[@]}" -o "$bin" "ctests/$name.c" "${link[@]}"
    if excepted leaks "$name"; then leaks=0; fi
    local watched=("${run[@]}")
    if [ "$watcher" = valgrind ] && [ $leaks = 0 ]; then watched+=(--leak-check=no); fi
    ASAN_OPTIONS=$asan:detect_leaks=$leaks timeout "${CHECKED_SECONDS:-180}" "${watched[@]}" "$bin" >"$bin.out" 2>"$bin.err" ||
        code=$?
    if [ $code = 77 ]; then
        echo "$name is skipped: $(cat "$bin.out")"
    elif [ $code != 0 ] || ! printed "$bin.out" | cmp -s - "ctests/expected/$name.out" ||
        grep -qE 'ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer|^==[0-9]+== ' "$bin.err"; then
        {
            echo "== $name under $watcher: exit code $code"
            printed "$bin.out" | diff "ctests/expected/$name.out" - | head -20 || true
            head -"${CHECKED_LINES:-60}" "$bin.err"
        } >&2
        touch "$out/failed.$name"
    else
        echo "$name"
    fi
}

rm -f "$out"/failed.*
jobs=$(nproc)
for name in "${names[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    check "$name" &
done
wait
failed=("$out"/failed.*)
if [ -e "${failed[0]}" ]; then
    echo "under $watcher: ${failed[*]##*failed.}" >&2
    exit 1
fi
