#!/usr/bin/env bash
# Packages, one after the other or those named: each is installed into an empty root, runs something, is removed, and nothing is left.
#
#     packaging/test.sh [versions recipes hardening abi wheel npm crate tarball rpm conan debian]
#
# They are made of what `make build` has left. What this machine lacks the tools for is skipped and named; with CI=true it fails. Behind
# each stand its seconds of processor time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
unset NANOMSG_LIBRARY LD_LIBRARY_PATH
library=target/lib/libnanomsg.so.6.0.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

needed=0
if test "${CI:-}" = true; then needed=1; fi
skip() {
    echo "skipped: $*" >&2
    return "$needed"
}
have() { command -v "$1" > /dev/null || { skip "there is no $1"; return 1; }; }
# grep -q would end before what writes to it has, and that would fail then.
has() { grep "$@" > /dev/null; }
fail() {
    echo "$*" >&2
    exit 1
}
# Nothing but folders that every system has may be below a root.
nothing_left() {
    local left
    left=$(find "$1" -mindepth 1 ! -type d)
    test -z "$left" || fail "left behind: $left"
}
# A program that is built with an installation runs with it.
runs_with() { # PREFIX LIBDIR
    cc -Wall -Werror -I"$1/include" -o "$work/hello" packaging/debian/tests/hello.c -L"$2" -lnanomsg
    LD_LIBRARY_PATH=$2 "$work/hello" | has -x Hello
    readelf -d "$work/hello" | has 'NEEDED.*libnanomsg.so.6'
}
stripped() {
    test -e "$work/libnanomsg.so.6" || { cp "$library" "$work/libnanomsg.so.6"; strip --strip-unneeded "$work/libnanomsg.so.6"; }
}

versions() { packaging/versions.py; }

recipes() {
    bash -n packaging/arch/PKGBUILD
    sh -n packaging/alpine/APKBUILD
    # Their install steps, in a root of their own.
    for recipe in arch/PKGBUILD alpine/APKBUILD; do
        mkdir -p "$work/recipe/pkg" "$work/recipe/src"
        ln -sfn "$root" "$work/recipe/src/libnanomsg-rs-$(sed -n 's/^pkgver=//p' "packaging/$recipe")"
        (
            export pkgdir=$work/recipe/pkg
            # shellcheck disable=SC1090
            . "packaging/$recipe"
            # makepkg begins in the sources' folder, abuild in the unpacked one.
            case $recipe in arch/*) cd "$work/recipe/src" ;; *) cd "$work/recipe/src/$pkgname-$pkgver" ;; esac
            package > /dev/null
        )
        runs_with "$work/recipe/pkg/usr" "$work/recipe/pkg/usr/lib"
        rm -rf "$work/recipe"
    done
    python3 -m json.tool packaging/vcpkg/vcpkg.json > /dev/null
    python3 -m py_compile packaging/conan/conanfile.py packaging/conan/test_package/conanfile.py
    rm -rf packaging/conan/__pycache__ packaging/conan/test_package/__pycache__
    # CMake reads the port; its functions, which vcpkg has, do nothing.
    sed -n 's/^\(vcpkg_[a-z_]*\).*/function(\1)\nendfunction()/p' packaging/vcpkg/portfile.cmake | cat - packaging/vcpkg/portfile.cmake > "$work/port.cmake"
    mkdir -p "$work/port/lib"
    cp packaging/vcpkg/usage "$work/usage"
    : > "$work/port/lib/libnanomsg.a"
    if have cmake; then
        cmake -DCURRENT_PACKAGES_DIR="$work/port" -DVCPKG_LIBRARY_LINKAGE=dynamic -DPORT=libnanomsg-rs -P "$work/port.cmake" > /dev/null
        test -f "$work/port/share/libnanomsg-rs/usage" && test ! -e "$work/port/lib/libnanomsg.a"
    fi
    # Of the others the syntax, where what reads it is there.
    if command -v ruby > /dev/null; then ruby -c packaging/homebrew/libnanomsg-rs.rb > /dev/null; else echo "not read: the Homebrew formula (no ruby)" >&2; fi
    if command -v nix-instantiate > /dev/null; then nix-instantiate --parse packaging/nix/flake.nix > /dev/null; else echo "not read: the Nix flake (no nix)" >&2; fi
    if command -v rpmspec > /dev/null; then rpmspec -q packaging/rpm/libnanomsg-rs.spec > /dev/null; else echo "not read: the RPM spec (no rpm)" >&2; fi
    python3 -c 'import yaml' 2> /dev/null && python3 - .github packaging/oss-fuzz <<-'END' || echo "not read: YAML (no PyYAML)" >&2
	import pathlib, sys, yaml
	for folder in sys.argv[1:]:
	    for path in pathlib.Path(folder).rglob("*.y*ml"):
	        yaml.safe_load(path.read_text())
	END
}

hardening() {
    for file in "$library" target/bin/nanocat; do
        readelf -lW "$file" | has GNU_RELRO || fail "$file: its relocated data stays writable (relro)"
        readelf -dW "$file" | has -E 'BIND_NOW|\bNOW\b' || fail "$file: names are bound late (now)"
        readelf -lW "$file" | grep 'GNU_STACK' | has ' RW ' || fail "$file: its stack is executable"
        ! readelf -dW "$file" | has TEXTREL || fail "$file: its code is relocated"
        ! readelf -lW "$file" | grep LOAD | has RWE || fail "$file: a segment is writable and executable"
    done
    readelf -hW target/bin/nanocat | has 'DYN (' || fail "nanocat is loaded at a fixed place (pie)"
    ! readelf -dW "$library" | has -E 'R(UN)?PATH' || fail "the library has a search path"
    # C code, which is ring's, has guards where it has arrays on the stack; Rust's has checked indices. CET needs every object to have
    # been compiled for it, and stable Rust cannot.
    nm -D "$library" | has __stack_chk_fail || fail "C code has no stack protector"
    # What it was built from, as cargo-auditable tells it, and it stays when the library is stripped.
    stripped
    objcopy -O binary --only-section=.dep-v0 --set-section-flags .dep-v0=alloc "$work/libnanomsg.so.6" "$work/dep-v0"
    python3 - "$work/dep-v0" <<-'END'
	import json, sys, zlib
	packages = json.loads(zlib.decompress(open(sys.argv[1], "rb").read()))["packages"]
	names = {package["name"] for package in packages}
	assert {"libnanomsg-rs", "rustls", "ring", "socket2"} <= names, names
	assert "proptest" not in names, "what only tests need is not in the library"
	print(f"{len(packages)} packages in .dep-v0")
	END
    ! grep -aEq "$HOME/|$root/" "$work/libnanomsg.so.6" || fail "paths of this machine are in the library"
}

abi() {
    have abidiff || return "$needed"
    local theirs=/usr/include
    # /usr/include may be ours by now.
    if grep -q 'NN_STAT_CURRENT_EP_ERRORS' $theirs/nanomsg/nn.h 2> /dev/null && ! test -e $theirs/nanomsg/unix.h; then
        abi_of "$theirs" "$work/theirs.so"
        abi_of include "$work/ours.so"
        # What is added is no break.
        abidiff --no-added-syms --drop-private-types "$work/theirs.so" "$work/ours.so" ||
            fail "the headers are not what Debian's 1.1.5 are"
    else
        skip "Debian's headers of 1.1.5 are not there" || return
    fi
    # Functions that a release had, the next one has.
    local tag
    if tag=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2> /dev/null); then
        mkdir -p "$work/tag"
        git archive "$tag" include src/ffi/exports.txt | tar -x -C "$work/tag"
        abi_of "$work/tag/include" "$work/before.so"
        abi_of include "$work/ours.so"
        abidiff --no-added-syms "$work/before.so" "$work/ours.so" || fail "the headers are not what $tag has"
        ! comm -23 <(sort "$work/tag/src/ffi/exports.txt") <(sort src/ffi/exports.txt) | grep . || fail "$tag has the functions above"
    else
        echo "there is no release to compare with" >&2
    fi
}
abi_of() { cc -g -fPIC -shared -I"$1" -o "$2" packaging/abi/calls.c; }

wheel() {
    stripped
    mkdir -p "$work/wheel"
    packaging/python.sh "$work/libnanomsg.so.6" "$work/wheel" > "$work/wheel.log" 2>&1 || fail "$(cat "$work/wheel.log")"
    grep -o 'platform tag: .*' "$work/wheel.log"
    python3 -m venv "$work/env"
    find "$work/env" ! -type d | sort > "$work/before"
    # Neither a compiler nor anything from the network.
    CC=/bin/false "$work/env/bin/pip" install -q --disable-pip-version-check --no-index "$work"/wheel/*manylinux*.whl
    (cd / && timeout 60 "$work/env/bin/python" -W error "$root/bindings/python/tests/installed.py")
    "$work/env/bin/pip" uninstall -q -y nanomsg-rs
    find "$work/env" ! -type d ! -path '*/__pycache__/*' | sort | comm -13 "$work/before" - > "$work/left"
    test ! -s "$work/left" || fail "left behind: $(cat "$work/left")"
    # Its types, as an installed program sees them.
    if "$work/env/bin/pip" install -q --disable-pip-version-check mypy "$work"/wheel/*manylinux*.whl; then
        printf '%s\n' 'from nanomsg_rs import Socket, SocketType' 'with Socket(SocketType.PAIR) as socket:' \
            '    message: bytes = socket.recv()' > "$work/typed.py"
        (cd "$work" && env/bin/mypy --strict typed.py && cd "$root/bindings/python" && "$work/env/bin/mypy" --cache-dir "$work/mypy")
    else
        skip "mypy could not be installed"
    fi
}

npm() {
    have node || return "$needed"
    stripped
    mkdir -p "$work/npm" "$work/node"
    packaging/node.sh "$work/libnanomsg.so.6" "$work/npm"
    echo '{"private": true}' > "$work/node/package.json"
    if ! CC=/bin/false command npm install --silent --no-audit --no-fund --prefix "$work/node" "$work"/npm/*.tgz; then
        skip "npm could not install it, with koffi"
        return
    fi
    cat > "$work/node/hello.js" <<-'END'
	const { Socket } = require('nanomsg-rs');
	const { file } = require('nanomsg-rs/library.js');
	if (!file.includes('node_modules')) throw new Error(`the library is ${file}`);
	const [a, b] = [new Socket('pair'), new Socket('pair')];
	a.bind('inproc://a');
	b.connect('inproc://a');
	b.send('Hello');
	a.recv().then((message) => console.log(String(message))).then(() => Promise.all([a.close(), b.close()]));
	END
    (cd "$work/node" && timeout 60 node hello.js | grep -x Hello)
    command npm uninstall --silent --no-audit --no-fund --prefix "$work/node" nanomsg-rs > /dev/null
    nothing_left "$work/node/node_modules/nanomsg-rs" 2> /dev/null || test ! -e "$work/node/node_modules/nanomsg-rs"
}

crate() {
    # What would be published, without building it again: `cargo publish --dry-run` does that in `make packages-test`.
    ${CARGO:-cargo} package -q --no-verify --allow-dirty --locked --target-dir "$work/crate"
    local files
    files=$(tar -tf "$work"/crate/package/*.crate | sed 's|^[^/]*/||')
    for file in Cargo.toml packaging/crates/README.md LICENSE CHANGELOG.md src/lib.rs build.rs; do
        grep -qx "$file" <<< "$files" || fail "the crate lacks $file"
    done
    if [[ ${NN_LONG:-} = 1 ]]; then ${CARGO:-cargo} publish -q --dry-run --allow-dirty --locked; fi
    local tag
    if ! tag=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2> /dev/null); then
        echo "there is no release to compare the Rust API with" >&2
    elif have cargo-semver-checks; then
        ${CARGO:-cargo} semver-checks --baseline-rev "$tag"
    fi
}

tarball() {
    make -s -o build install PREFIX=/usr/local DESTDIR="$work/tarball"
    runs_with "$work/tarball/usr/local" "$work/tarball/usr/local/lib"
    "$work/tarball/usr/local/bin/nn_bus" --bind inproc://a --connect inproc://a --data hello --ascii --recv-timeout 1 | has -x hello
    make -s uninstall PREFIX=/usr/local DESTDIR="$work/tarball"
    nothing_left "$work/tarball"
}

rpm() {
    have rpmbuild || return "$needed"
    packaging/rpm/build.sh "$work/rpm" > "$work/rpm.log" 2>&1 || fail "$(cat "$work/rpm.log")"
    if command -v rpmlint > /dev/null; then
        rpmlint -c packaging/rpm/rpmlint.toml "$work"/rpm/RPMS/*/*.rpm > "$work/rpmlint.log" || fail "$(cat "$work/rpmlint.log")"
        tail -n 1 "$work/rpmlint.log"
    fi
    mkdir -p "$work/rpmroot"
    # What they need is the C library, which this root has not; their scripts call ldconfig, neither.
    local rpm=(command rpm --root "$work/rpmroot" --dbpath /db)
    "${rpm[@]}" -i --nodeps --noscripts --ignorearch "$work"/rpm/RPMS/*/*.rpm
    runs_with "$work/rpmroot/usr" "$work/rpmroot/usr/lib64"
    "${rpm[@]}" -V --nodeps --noscripts -a || fail "rpm finds its own files changed"
    # shellcheck disable=SC2046
    "${rpm[@]}" -e --nodeps --noscripts $("${rpm[@]}" -qa)
    rm -rf "$work/rpmroot/db"
    nothing_left "$work/rpmroot"
}

conan() {
    python3 -m venv "$work/conan"
    "$work/conan/bin/pip" install -q --disable-pip-version-check 'conan>=2' || { skip "conan could not be installed"; return; }
    export CONAN_HOME=$work/conan-home PATH=$work/conan/bin:$PATH
    "$work/conan/bin/conan" profile detect > /dev/null 2>&1
    "$work/conan/bin/conan" create packaging/conan --no-remote --build=missing > "$work/conan.log" 2>&1 || fail "$(tail -n 40 "$work/conan.log")"
    grep -x '.*Hello' "$work/conan.log"
    "$work/conan/bin/conan" remove -c 'libnanomsg-rs/*' > /dev/null 2>&1
    test -z "$(find "$CONAN_HOME/p" -name 'libnanomsg*' 2> /dev/null)" || fail "left behind in $CONAN_HOME/p"
}

debian() {
    have debootstrap && have dpkg-buildpackage || return "$needed"
    test "$(id -u)" = 0 || { skip "a root of its own can only be made by root"; return "$needed"; }
    packaging/deb.sh "$work/deb" > "$work/deb.log" 2>&1 || fail "$(tail -n 40 "$work/deb.log")"
    if command -v lintian > /dev/null; then
        lintian --allow-root --fail-on error "$work"/deb/*.changes
        ! lintian --allow-root "$work"/deb/*.changes | grep . || fail "lintian warns"
    fi
    # A system of its own, with Debian's packages and what depends on them.
    local system=$work/system
    # shellcheck disable=SC1091
    debootstrap --variant=minbase --include=gcc,libc6-dev,pkg-config,cmake,make "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
        "$system" > "$work/debootstrap.log" 2>&1 || { skip "no system could be made: $(tail -n 1 "$work/debootstrap.log")"; return; }
    mkdir -p "$system/packages"
    rm -f "$work"/deb/*-dbgsym_*
    cp "$work"/deb/*.deb "$system/packages"
    cp -r packaging/debian/tests "$system/packages"
    cat > "$system/packages/run" <<-'END'
	set -eux
	export DEBIAN_FRONTEND=noninteractive
	printf 'exit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends janus libcriterion3 libnanomsg-raw-perl nanomsg-utils libnanomsg-dev
	apt-get install -y -qq /packages/*.deb
	apt-get check -qq
	dpkg-query -W -f '${Package} ${Version}\n' janus libcriterion3 libnanomsg-raw-perl
	perl -MNanoMsg::Raw -e 'my ($a, $b) = (nn_socket (AF_SP, NN_PAIR), nn_socket (AF_SP, NN_PAIR)); nn_bind ($a, "inproc://x");
	    nn_connect ($b, "inproc://x"); nn_send ($b, "hi", 0); nn_recv ($a, my $text, 2, 0); $text eq "hi" or die'
	# shellcheck disable=SC2016
	ldd /usr/lib/*/libcriterion.so.3 /usr/lib/*/janus/transports/libjanus_nanomsg.so | grep -c 'libnanomsg.so.5 => /'
	for test in compiles old-name nanocat; do /packages/tests/$test; done
	apt-get purge -y -qq 'libnanomsg*' nanomsg-utils
	! find / -xdev -path /packages -prune -o -path /var/cache -prune -o -path /proc -prune -o -name '*nanomsg*' -print | grep -v '/var/lib/apt\|/var/log' | grep .
	END
    chroot "$system" sh /packages/run > "$work/debian.log" 2>&1 || fail "$(tail -n 40 "$work/debian.log")"
    grep -x 'Hello' "$work/debian.log" | sort | uniq -c
}

TIMEFORMAT='%U + %S s'
test $# -gt 0 || set -- versions recipes hardening abi wheel npm crate tarball rpm conan debian
passed=0
for package; do
    echo "== $package"
    time "$package"
    passed=$((passed + 1))
done
echo "$passed passed, 0 failed"
