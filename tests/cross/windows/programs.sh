#!/bin/sh
# Compiles the programs of ctests/ that programs.txt chooses, runs them under Wine, and compares what they print with ctests/expected.
# `quick`: only those that are marked so.
set -eu
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$(dirname "$0")/../../.." && pwd)
: "${PROGRAMS:?}" "${OUT:?}" "${CC:?}"
which=${1:-all}
list=$here/programs.txt
cd "$PROGRAMS"

run() {
    name=$1
    # What the list says of it: lines that differ are in expected/, as a patch.
    $CC -std=gnu11 -O1 -w -D_WIN32_WINNT=0x0A00 -D__USE_MINGW_ANSI_STDIO=1 -I"$here/include" -I"$OUT/include" -I"$root/ctests" \
        "$root/ctests/$name.c" -o "$name.exe" "$OUT/lib/libnanomsg.dll.a" -static-libgcc -Wl,-Bstatic -lpthread -Wl,-Bdynamic -lws2_32
    cp "$root/ctests/expected/$name.out" "$name.expected"
    if [ -f "$here/expected/$name.diff" ]; then patch -s "$name.expected" "$here/expected/$name.diff"; fi
    status=0
    NN_SYS=portable timeout 150 "$here/wine.sh" "$name.exe" >"$name.printed" 2>"$name.err" || status=$?
    if diff "$name.expected" "$name.printed" >"$name.difference" && [ $status = 0 ]; then
        rm -f "$name.exe"
    else
        echo "FAILED: $name ended with $status" >&2
        head -20 "$name.difference" >&2
        return 1
    fi
}

if [ "${2:-}" ]; then run "$2"; exit; fi

# Each program is listed once, and each is there.
sed 's/[: ].*//; /^#/d; /^$/d' "$list" | LC_ALL=C sort >listed
(cd "$root/ctests" && ls ./*.c) | sed 's|./\(.*\)\.c|\1|' | LC_ALL=C sort | diff - listed >&2 || {
    echo "tests/cross/windows/programs.txt and ctests/ differ" >&2
    exit 1
}
case $which in
quick) chosen=$(sed -n 's/^\([a-z0-9_]*\) quick$/\1/p' "$list") ;;
*) chosen=$(sed -n 's/^\([a-z0-9_]*\)\( quick\)\{0,1\}$/\1/p' "$list") ;;
esac
# Two at a time: many of them wait.
echo "$chosen" | xargs -P2 -n1 "$here/programs.sh" "$which" && echo "  $(echo "$chosen" | wc -l) C programs print what they print on Linux"
