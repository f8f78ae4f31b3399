#!/usr/bin/env bash
# The library with some of its features: a C program that binds an address of each scheme, whether what a missing feature brings is
# missing too, and unit tests of the smallest one. With NN_LONG=1 unit tests of all, and more of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo=${CARGO:-cargo} cc=${CC:-cc}
out=target/features

# Crates that a feature alone brings.
declare -A brings=([tls]='rustls|ring|x509-cert|zeroize' [ws]='base64|httparse|sha1|simdutf8' [ipc]='')

combinations=('' 'ipc tls')
if [[ ${NN_LONG:-} = 1 ]]; then combinations+=('ipc ws' 'tls ws' ipc tls ws); fi
for features in "${combinations[@]}"; do
    name=tcp${features:+-${features// /-}}
    echo "== tcp, inproc ${features:+and $features}"
    tree=$("$cargo" tree -q --no-default-features --features "$features" --edges normal --prefix none | cut -d ' ' -f 1)
    for feature in ipc tls ws; do
        if [[ " $features " != *" $feature "* && -n ${brings[$feature]} ]] && grep -Ex "${brings[$feature]}" <<< "$tree"; then
            echo "the crate above is there without the feature $feature" >&2
            exit 1
        fi
    done
    if [[ -z $features || ${NN_LONG:-} = 1 ]]; then
        "$cargo" test -q --profile checks --no-default-features --features "$features" --lib
    fi
    "$cargo" rustc -q --profile checks --no-default-features --features "$features" --lib --crate-type staticlib
    make -s link STAGE="$out/$name" ARCHIVE=target/checks/libnanomsg.a
    "$cc" -Wall -Wextra -Werror -Iinclude -o "$out/$name/schemes" tests/features/schemes.c "$out/$name/libnanomsg.so"
    folder=$(mktemp -d)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    LD_LIBRARY_PATH="$out/$name" timeout 60 "$out/$name/schemes" "$folder" "$port" > "$out/$name/said"
    rm -rf "$folder"
    is() { [[ " $features " == *" $1 "* ]] && echo yes || echo EPROTONOSUPPORT; }
    diff - "$out/$name/said" <<-END
	inproc yes
	tcp yes
	ipc $(is ipc)
	ws $(is ws)
	inproc says hello
	tcp says hello
	END
done
