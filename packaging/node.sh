#!/usr/bin/env bash
# The npm package with prebuilt libraries, by platform:
#
#     packaging/node.sh LIBRARY FOLDER
#
# LIBRARY is this machine's; those of other systems are taken from target/cross/TRIPLE/lib where they were built.
set -euo pipefail
cd "$(dirname "$0")/.."
library=$(realpath "$1") out=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/package"
(cd bindings/node && cp -r README.md ./*.js ./*.d.ts package.json "$work/package")
cp LICENSE "$work/package"
put() { # LIBRARY PLATFORM NAME
    install -D -m 755 "$1" "$work/package/prebuilt/$2/$3"
}
put "$library" "linux-$(node -p process.arch)" libnanomsg.so.6
while read -r triple platform name; do
    for folder in lib bin; do
        file=target/cross/$triple/$folder/$name
        if test -f "$file"; then put "$file" "$platform" "$name"; fi
    done
done <<'END'
x86_64-unknown-linux-musl linux-x64-musl libnanomsg.so.6
aarch64-unknown-linux-gnu linux-arm64 libnanomsg.so.6
armv7-unknown-linux-gnueabihf linux-arm libnanomsg.so.6
s390x-unknown-linux-gnu linux-s390x libnanomsg.so.6
x86_64-pc-windows-gnu win32-x64 nanomsg.dll
x86_64-apple-darwin darwin-x64 libnanomsg.6.dylib
aarch64-apple-darwin darwin-arm64 libnanomsg.6.dylib
END
# npm sets every time to the same day, and no owner.
cd "$work/package" && npm pack --silent --pack-destination "$out" > /dev/null
