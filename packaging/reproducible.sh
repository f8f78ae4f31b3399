#!/usr/bin/env bash
# dist/ twice: in another folder, by another user (where this is root), with another umask, time zone, language and clock.
set -euo pipefail
cd "$(dirname "$0")/.."
one=$(mktemp -d) other=$(mktemp -d /var/tmp/another-folder-XXXXXX)
trap 'rm -rf "$one" "$other"' EXIT
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
git clone -q . "$one/clone"
git clone -q . "$other/some-clone"
(cd "$one/clone" && make -s dist DIST="$one/dist")

cd "$other/some-clone"
find . -path ./.git -prune -o -type f -exec touch -d '2001-02-03 04:05' {} +
again=(env LC_ALL=C TZ=Asia/Tokyo USER=somebody bash -c 'umask 077; make -s dist DIST="$0"' "$other/dist")
# root can be somebody else: nobody, who has no home, and reads nothing of root's. The compiler is shown elsewhere; crates are copied.
if [[ $(id -u) = 0 ]] && command -v setpriv > /dev/null; then
    toolchain=$(rustc --print sysroot) cargo_home=${CARGO_HOME:-$HOME/.cargo}
    mkdir -p "$other/toolchain" "$other/home/cargo/registry"
    if mount --bind "$toolchain" "$other/toolchain"; then
        trap 'umount "$other/toolchain"; rm -rf "$one" "$other"' EXIT
        cp -r "$cargo_home"/registry/{cache,index} "$other/home/cargo/registry/"
        cp "$cargo_home"/config.toml "$other/home/cargo/" 2> /dev/null || true
        chmod 755 "$other"
        chown -R nobody "$other/home" "$other/some-clone"
        install -d -o nobody "$other/tmp"
        again=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$other/home" CARGO_HOME="$other/home/cargo"
            TMPDIR="$other/tmp" PATH="$other/toolchain/bin:/usr/bin:/bin" PYTHON=/usr/bin/python3 "${again[@]:1}")
        again[-1]=$other/tmp/dist
    fi
fi
"${again[@]}"
test ! -d "$other/tmp/dist" || mv "$other/tmp/dist" "$other/dist"
if diff "$one/dist/SHA256SUMS" "$other/dist/SHA256SUMS"; then
    echo "the same bytes: $(wc -l < "$one/dist/SHA256SUMS") files"
else
    mkdir -p "$OLDPWD/target/reproducible" && cp -r "$one/dist" "$OLDPWD/target/reproducible/one"
    cp -r "$other/dist" "$OLDPWD/target/reproducible/other"
    echo "the files above differ; both are in target/reproducible" >&2
    exit 1
fi
