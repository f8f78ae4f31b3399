#!/bin/sh
# Makes a Debian package of what `make install` has put below a folder:
#
#     packaging/deb/build.sh ROOT VERSION LIBDIR PACKAGE
#
# It is one package for everything, in place of Debian's three.
set -eu
cd "$(dirname "$0")/../.."
root=$1 version=$2 libdir=$3 package=$4
doc=$root/usr/share/doc/libnanomsg-rs

umask 022
strip --strip-unneeded "$root$libdir/libnanomsg.so.6.0.1" "$root/usr/bin/nanocat"
strip --strip-debug --enable-deterministic-archives "$root$libdir/libnanomsg.a"
find "$root/usr/share/man" -type f ! -name '*.gz' -exec gzip -9nf {} +
install -d "$doc" "$root/DEBIAN"
gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
{
    echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
    echo 'Upstream-Name: libnanomsg-rs'
    echo
    echo 'Files: *'
    sed -n 's/^Copyright (c) /Copyright: /p' LICENSE
    echo 'License: Expat'
    # Behind the heading and the copyright; empty lines are dots, all are set in.
    sed -n '/^Permission/,$p' LICENSE | sed 's/^$/./; s/^/ /'
} > "$doc/copyright"

# The newest version of the C library that a name is asked of.
glibc=$(readelf -VW "$root$libdir/libnanomsg.so.6.0.1" "$root/usr/bin/nanocat" |
    grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
size=$(du -sk --apparent-size "$root/usr" | cut -f 1)
sed -e "s/@VERSION@/$version/g; s/@ARCHITECTURE@/$(dpkg --print-architecture)/" \
    -e "s/@GLIBC@/$glibc/; s/@SIZE@/$size/" packaging/deb/control.in > "$root/DEBIAN/control"
# So that packages built with this library depend on Debian's name, and run with either.
printf 'libnanomsg %s\n' "5 libnanomsg5" "6 libnanomsg6" > "$root/DEBIAN/shlibs"
echo 'activate-noawait ldconfig' > "$root/DEBIAN/triggers"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"

# The same package from the same commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
dpkg-deb --root-owner-group -Zxz --build "$root" "$package"
