#!/bin/sh
# A program of Windows' under Wine talks to programs of Linux': PAIR, PUB/SUB and REQ/REP with Debian's nanocat over tcp, and with ours
# over tcp and ws; either side binds.
set -eu
here=$(cd "$(dirname "$0")" && pwd) root=$here/../../..
: "${PROGRAMS:?}" "${OUT:?}" "${CC:?}"
cd "$PROGRAMS"
failed=0

$CC -O1 -Wall -I"$OUT/include" "$here/talk.c" -o talk.exe "$OUT/lib/libnanomsg.dll.a"
# The same with the static library.
$CC -O1 -Wall -DNN_STATIC_LIB -I"$OUT/include" "$here/talk.c" -o talk_static.exe "$OUT/lib/libnanomsg.a" \
    $(sed -n 's/^Libs.private: //p' "$OUT/lib/pkgconfig/nanomsg.pc")

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}


# one NANOCAT SCHEME PROGRAM PATTERN WHO_BINDS WINDOWS_PRINTS LINUX_PRINTS NANOCAT_OPTIONS...
one() {
    nanocat=$1 scheme=$2 program=$3 pattern=$4 binds=$5 there=$6 here_printed=$7
    shift 7
    address=$scheme://127.0.0.1:$(free_port)
    if [ "$binds" = windows ]; then mine=bind other=--connect; else mine=connect other=--bind; fi
    what="$nanocat nanocat, $scheme, $program $pattern, $binds binds"
    timeout 60 "$here/wine.sh" "$program" "$pattern" "$mine" "$address" >there.out 2>there.err &
    windows=$!
    : >linux.out
    # In a shell of its own, which ends with the program.
    (trap 'kill $child 2>/dev/null' TERM; "run_$nanocat" "$@" "$other" "$address" >linux.out 2>linux.err & child=$!; wait $child) &
    linux=$!
    tries=0
    if [ -n "$here_printed" ]; then
        until grep -q "$here_printed" linux.out || [ $tries = 600 ]; do tries=$((tries + 1)); sleep 0.1; done
    fi
    status=0
    if [ "$pattern" = pub ]; then
        # It goes on until somebody ends it.
        kill $windows 2>/dev/null || true
    else
        wait $windows || status=$?
    fi
    kill $linux 2>/dev/null || true
    wait 2>/dev/null || true
    if [ $status = 0 ] && { [ -z "$there" ] || [ "$(tr -d '\r' <there.out)" = "$there" ]; } &&
        { [ -z "$here_printed" ] || grep -q "$here_printed" linux.out; }; then
        echo "  $what"
    else
        echo "FAILED: $what: status $status, printed '$(cat there.out there.err)', and nanocat '$(tail -3 linux.out) $(cat linux.err)'" >&2
        failed=1
    fi
}
run_debian() { exec /usr/bin/nanocat "$@"; }
run_our() { LD_LIBRARY_PATH="$root/target/lib" exec "$root/target/bin/nanocat" "$@"; }

conversations() {
    nanocat=$1 scheme=$2 program=$3
    for binds in windows linux; do
        one "$nanocat" "$scheme" "$program" pair "$binds" "from linux" "from windows" --pair --data "from linux" -A
        one "$nanocat" "$scheme" "$program" sub "$binds" "news" "" --pub --data news --interval 0.05
        one "$nanocat" "$scheme" "$program" pub "$binds" "" "news from windows" --sub --subscribe "" -A
        one "$nanocat" "$scheme" "$program" req "$binds" "answer" "question from windows" --rep --data answer -A
        one "$nanocat" "$scheme" "$program" rep "$binds" "question" "answer from windows" --req --data question -A
    done
}

conversations debian tcp talk.exe
conversations our tcp talk.exe
conversations our ws talk.exe
conversations debian tcp talk_static.exe

# What was sent arrives, though the program ends without nn_close.
for program in talk.exe talk_static.exe; do
    address=tcp://127.0.0.1:$(free_port)
    : >linux.out
    (trap 'kill $child 2>/dev/null' TERM; run_our --pull --bind "$address" --raw >linux.out 2>/dev/null & child=$!; wait $child) &
    linux=$!
    timeout 60 "$here/wine.sh" $program push connect "$address" || failed=1
    tries=0
    until [ "$(wc -l <linux.out)" = 2000 ] || [ $tries = 100 ]; do tries=$((tries + 1)); sleep 0.1; done
    kill $linux 2>/dev/null || true
    wait 2>/dev/null || true
    if [ "$(wc -c <linux.out)" = 20000000 ]; then echo "  $program: what was sent before the end arrives"
    else echo "FAILED: $program: $(wc -l <linux.out) of 2000 messages arrived after its end" >&2; failed=1; fi
done

# nanocat.exe with itself over a named pipe, in two processes; bytes of any value pass as they are.
printf 'a\nb\r\n\000\032end' >message.bin
timeout 40 "$here/wine.sh" nanocat.exe --pull --bind ipc://nanocat-test --raw --recv-timeout 5 >pipe.out 2>pipe.err &
pull=$!
timeout 40 "$here/wine.sh" nanocat.exe --push --connect ipc://nanocat-test --file message.bin --send-timeout 20 || failed=1
wait $pull || true
if cmp -s pipe.out message.bin; then echo "  nanocat.exe and nanocat.exe over a named pipe"
else echo "FAILED: nanocat.exe over a named pipe: $(od -c pipe.out | head -3) $(cat pipe.err)" >&2; failed=1; fi
exit $failed
