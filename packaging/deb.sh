#!/usr/bin/env bash
# Debian packages in a folder, by packaging/debian:
#
#     packaging/deb.sh FOLDER             of what `make build` has made
#     packaging/deb.sh FOLDER source      and the source package, with all crates, that builds without a network
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 kind=${2:-prebuilt}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)
tree=$folder/libnanomsg-rs-$version
# The same packages from the same commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)}
umask 022

rm -rf "$tree"
mkdir "$tree"
packaging/files.sh | tar -c --null -T - | tar -x -C "$tree"
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

pack() { # FILE, from what is in the current folder
    tar -c --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu "${@:2}" | xz -6 -T1 > "$1"
}
if [[ $kind = source ]]; then
    (cd "$folder" && pack "libnanomsg-rs_$version.orig.tar.xz" "${tree##*/}")
    "${CARGO:-cargo}" vendor -q --locked --versioned-dirs "$tree/vendor" > /dev/null
    (cd "$tree" && pack "../libnanomsg-rs_$version.orig-vendor.tar.xz" vendor)
fi
cp -r packaging/debian "$tree/debian"
find "$tree/debian" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cd "$tree"
# rustup's compilers are not packages.
profiles=$(dpkg -s rustc >/dev/null 2>&1 || echo --build-profiles=pkg.libnanomsg-rs.rustup)
if [[ $kind = source ]]; then
    dpkg-buildpackage --build=full $profiles -us -uc
else
    ln -s "$OLDPWD/target" target
    PREBUILT=yes dpkg-buildpackage --build=binary $profiles -us -uc
fi
