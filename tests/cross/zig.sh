# For systems whose programs do not run here: they are compiled and linked by zig, which knows what those systems' C libraries
# offer. PyPI has it; it is put into target/tools/zig.
zig_tools=$root/target/tools/zig
ziglang=0.15.1       # the first version that links for FreeBSD
cargo_zigbuild=0.24.1
PATH=$zig_tools/bin:$PATH

find_zig() {
    test -x "$zig_tools/bin/cargo-zigbuild" && return
    python3 -m venv "$zig_tools" && "$zig_tools/bin/pip" install -q --disable-pip-version-check \
        "ziglang==$ziglang" "cargo-zigbuild==$cargo_zigbuild" || skip "pip could not fetch zig"
}

rust() {
    rust_verb=$1
    shift
    test "$rust_verb" != build || rust_verb=zigbuild
    # shellcheck disable=SC2086
    CARGO_TARGET_DIR="$rust_out" cargo-zigbuild "$rust_verb" -q $std --target "$target" --profile "$profile" "$@"
}

# cargo's own shared library: these systems' linkers take the list of names that rustc hands them. With nanocat, which needs it.
build_archive() {
    find_zig
    rust build --features cli --lib --bin nanocat
}

build_nanocat() {
    mkdir -p "$work/bin"
    cp "$(built)/nanocat" "$work/bin/"
}

link_library() {
    mkdir -p "$work/lib"
    cp "$(built)/libnanomsg.a" "$work/lib/"
    cp "$(built)/$built_as" "$work/lib/$real"
    for name in $names; do ln -sf "$real" "$work/lib/$name"; done
}

run_tests() {
    say "its programs do not run here"
}
