#!/usr/bin/env bash
# Everything that is given to others, from a clean clone, into a folder with SHA256SUMS:
#
#     packaging/dist.sh FOLDER
#
# What this machine lacks the tools for is left out, and named. BUILT=yes takes the library from target/ as it is, and makes the rest
# of the files that are here; for trying.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
out=$(cd "$1" && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
version=$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)
machine=$(uname -m)
name=libnanomsg-rs-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ${BUILT:-} = yes ]]; then
    mkdir "$work/$name"
    packaging/files.sh | tar -c --null -T - | tar -x -C "$work/$name"
    ln -s "$PWD/target" "$work/$name/target"
    tree=$work/$name
else
    git clone -q --no-local . "$work/$name"
    tree=$work/$name
    rm -rf "$tree/.git"
    make -s -C "$tree" build
fi
rm -rf "${out:?}"/*
cd "$tree"

have() { command -v "$1" > /dev/null || { echo "left out: there is no $1" >&2; return 1; }; }
pack() { # FILE FOLDER-OF NAME: always the same bytes for the same files
    tar -c -C "$2" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu "$3" | xz -6 -T1 > "$1"
}

echo "== sources" >&2
mkdir "$work/source"
mkdir "$work/source/$name"
packaging/files.sh | tar -c --null -T - | tar -x -C "$work/source/$name"
pack "$out/$name.tar.xz" "$work/source" "$name"

echo "== library" >&2
library=$work/libnanomsg.so.6
cp target/lib/libnanomsg.so.6.0.1 "$library"
strip --strip-unneeded "$library"
bin=$work/bin/$name-$machine-linux-gnu
make -s -o build install PREFIX=/usr/local DESTDIR="$bin"
objcopy --only-keep-debug target/lib/libnanomsg.so.6.0.1 "$work/libnanomsg.so.6.0.1.debug"
(cd "$work" && objcopy --add-gnu-debuglink=libnanomsg.so.6.0.1.debug "$library" "$bin/usr/local/lib/libnanomsg.so.6.0.1")
strip --strip-unneeded "$bin/usr/local/bin/nanocat"
strip --strip-debug --enable-deterministic-archives "$bin/usr/local/lib/libnanomsg.a"
cp packaging/sbom/libnanomsg-rs.cdx.json "$bin/usr/local/share/" 2>/dev/null || true
pack "$out/$name-$machine-linux-gnu.tar.xz" "$work/bin" "${bin##*/}"
pack "$out/$name-$machine-linux-gnu-debug.tar.xz" "$work" libnanomsg.so.6.0.1.debug

echo "== Debian" >&2
if have dpkg-buildpackage && have dh; then
    packaging/deb.sh "$work/deb" > "$work/deb.log" 2>&1 || { cat "$work/deb.log" >&2; exit 1; }
    cp "$work"/deb/*.deb "$out"
fi

echo "== RPM" >&2
if have rpmbuild; then
    packaging/rpm/build.sh "$work/rpm" > "$work/rpm.log" 2>&1 || { cat "$work/rpm.log" >&2; exit 1; }
    find "$work/rpm/RPMS" -name '*.rpm' -exec cp {} "$out" \;
fi

echo "== Python" >&2
packaging/python.sh "$library" "$out"

echo "== Node" >&2
if have npm; then packaging/node.sh "$library" "$out"; fi

echo "== Rust" >&2
"${CARGO:-cargo}" package -q --no-verify --allow-dirty --locked --target-dir "$work/crate"
cp "$work"/crate/package/*.crate "$out"

cp packaging/sbom/*.cdx.json "$out" 2>/dev/null || true
(cd "$out" && sha256sum -- * > "$work/sums" && mv "$work/sums" SHA256SUMS)
cat "$out/SHA256SUMS"
