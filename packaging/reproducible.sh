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
if [[ $(id -u) = 0 ]] && command -v setpriv > /dev/null; then
    # Nobody's home is not root's: crates are fetched, or found, again.
    mkdir "$other/home"
    toolchain=$(rustc --print sysroot)
    chown -R nobody "$other"
    chmod 755 "$other"
    setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$toolchain/bin/cargo" 2>/dev/null &&
        again=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$other/home" CARGO_HOME="$other/home/cargo" \
            PATH="$toolchain/bin:$PATH" "${again[@]:1}") ||
        echo "by the same user: nobody cannot read $toolchain" >&2
fi
"${again[@]}"
if diff "$one/dist/SHA256SUMS" "$other/dist/SHA256SUMS"; then
    echo "the same bytes: $(wc -l < "$one/dist/SHA256SUMS") files"
else
    mkdir -p "$OLDPWD/target/reproducible" && cp -r "$one/dist" "$OLDPWD/target/reproducible/one"
    cp -r "$other/dist" "$OLDPWD/target/reproducible/other"
    echo "the files above differ; both are in target/reproducible" >&2
    exit 1
fi
