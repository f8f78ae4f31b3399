#!/usr/bin/env bash
# Bindings that others wrote for libnanomsg, unchanged from their registries, on our headers and library: PyPI's nnpy and
# nanomsg, npm's nanomsg. The argument is the prefix where ours is installed. What is missing fails with CI=true, and is
# said and left out elsewhere.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
prefix=$(cd "$1" && pwd)
work=$here/../../target/thirdparty
mkdir -p "$work"
work=$(cd "$work" && pwd)
passed=0
skipped=0

skip() {
    [ "${CI:-}" != true ] || { echo "$1" >&2; exit 1; }
    echo "skipped: $1" >&2
    skipped=$((skipped + 1))
}

# Programs find ours by this, and the tests look which library they have got.
export LD_LIBRARY_PATH=$prefix/lib NANOMSG_PREFIX=$prefix

if "${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null; then
    python=$work/venv/bin/python
    [ -x "$python" ] || "${PYTHON:-python3}" -m venv "$work/venv"
    pip() { "$python" -m pip "$@" -q --disable-pip-version-check; }

    # nnpy reads the headers of the first of its directories that is there, unless its site.cfg names others.
    if ! "$python" -c 'import nnpy' 2>/dev/null; then
        pip download --no-deps --no-binary :all: -d "$work" nnpy==1.4.2
        tar -xzf "$work/nnpy-1.4.2.tar.gz" -C "$work"
        printf '[DEFAULT]\ninclude_dirs = %s\nlibrary_dirs = %s\nhost_library = %s\n' "$prefix/include/nanomsg" \
            "$prefix/lib" "$prefix/lib/libnanomsg.so" > "$work/nnpy-1.4.2/site.cfg"
        pip install "$work/nnpy-1.4.2"
    fi
    "$python" "$here/try_nnpy.py"
    passed=$((passed + 1))

    # nanomsg has a C extension, and ctypes for where that does not build; both are tried.
    "$python" -c 'import _nanomsg_cpy' 2>/dev/null ||
        C_INCLUDE_PATH=$prefix/include LIBRARY_PATH=$prefix/lib pip install --no-cache-dir --no-binary :all: nanomsg==1.0
    for wrapper in cpy ctypes; do
        "$python" "$here/try_nanomsg.py" $wrapper
        passed=$((passed + 1))
    done
else
    skip "there is no Python with venv: nnpy and nanomsg of PyPI are not tried"
fi

if command -v npm >/dev/null && command -v pkg-config >/dev/null && command -v c++ >/dev/null; then
    # Its build asks pkg-config, but puts /nanomsg in the wrong place of a path with more than one directory.
    if [ ! -e "$work/node/node_modules/nanomsg/build/Release/node_nanomsg.node" ]; then
        mkdir -p "$work/node"
        CPLUS_INCLUDE_PATH=$prefix/include/nanomsg PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
            npm install --prefix "$work/node" --no-audit --no-fund --use_system_libnanomsg=true nanomsg@4.2.1 \
            > "$work/npm.log" 2>&1 || { cat "$work/npm.log" >&2; exit 1; }
    fi
    NODE_PATH=$work/node/node_modules node "$here/try_node.js"
    passed=$((passed + 1))
else
    skip "there is no npm, pkg-config or C++ compiler: nanomsg of npm is not tried"
fi

echo "thirdparty: $passed passed, 0 failed, $skipped skipped"
