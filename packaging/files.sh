#!/bin/sh
# The files that are the project's, each ended by a NUL: what git tracks, or in an unpacked archive all but what was built.
set -eu
cd "$(dirname "$0")/.."
if git rev-parse --show-cdup 2>/dev/null | grep -qx ''; then
    # Those that are deleted and not yet committed are listed too.
    git ls-files -z | xargs -0 sh -c 'for file; do if test -e "$file"; then printf "%s\0" "$file"; fi; done' sh
else
    find . -path ./target -prune -o -path ./vendor -prune -o -path ./debian -prune -o ! -type d -printf '%P\0' | sort -z
fi
