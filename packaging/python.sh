#!/usr/bin/env bash
# Wheels with the library inside, and the sdist without:
#
#     packaging/python.sh LIBRARY FOLDER
#
# LIBRARY is this machine's; those of other systems are taken from target/cross/TRIPLE/lib where they were built.
set -euo pipefail
cd "$(dirname "$0")/.."
library=$(realpath "$1") out=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check 'setuptools>=77' wheel build auditwheel

# The oldest glibc that has every name that the library asks for.
manylinux() {
    readelf -VW "$1" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n 1 | sed 's/\./_/;s/^/manylinux_/'
}
wheel() { # LIBRARY PLATFORM
    cp -r bindings/python "$work/source"
    (cd "$work/source" && NANOMSG_CARRY=$1 NANOMSG_PLATFORM=$2 "$work/venv/bin/python" -m build -q --no-isolation --wheel -o "$work/out" > /dev/null)
    rm -rf "$work/source"
}

wheel "$library" "$(manylinux "$library")_$(uname -m)"
"$work/venv/bin/python" -m auditwheel show "$work"/out/*manylinux*.whl | tr -s ' \n' ' ' |
    grep -Eo 'is consistent with the following platform tag: "[^"]*"'
declare -A tags=([x86_64-unknown-linux-musl]=musllinux_1_2_x86_64 [aarch64-unknown-linux-musl]=musllinux_1_2_aarch64
    [aarch64-unknown-linux-gnu]=manylinux_2_34_aarch64 [armv7-unknown-linux-gnueabihf]=manylinux_2_34_armv7l
    [i686-unknown-linux-gnu]=manylinux_2_34_i686 [x86_64-pc-windows-gnu]=win_amd64
    [x86_64-apple-darwin]=macosx_11_0_x86_64 [aarch64-apple-darwin]=macosx_11_0_arm64)
for triple in "${!tags[@]}"; do
    for file in target/cross/"$triple"/{lib/libnanomsg.so.6,lib/libnanomsg.6.dylib,bin/nanomsg.dll}; do
        if test -f "$file"; then wheel "$(realpath "$file")" "${tags[$triple]}"; fi
    done
done

cp -r bindings/python "$work/source"
(cd "$work/source" && NANOMSG_CARRY='' "$work/venv/bin/python" -m build -q --no-isolation --sdist -o "$work/sdist" > /dev/null)
# setuptools writes the times and owners of this machine into it.
cd "$work/sdist"
tar -xf ./*.tar.gz && name=$(basename ./*.tar.gz .tar.gz)
tar -c --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX --format=gnu "$name" |
    gzip -9n > "$out/$name.tar.gz"
cp "$work"/out/*.whl "$out"
