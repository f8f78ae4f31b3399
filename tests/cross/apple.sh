# macOS: compiled and linked; no test of it runs here. What it shares with other systems runs on Linux (make portable).
#
# zig does not bring Apple's frameworks. In their place stand lists of the names that our object files want from them.
. "$here/zig.sh"
packages=llvm
tools="llvm-nm llvm-objdump"
real=libnanomsg.6.0.1.dylib
names="libnanomsg.6.dylib libnanomsg.dylib"
soname=@rpath/libnanomsg.6.dylib
built_as=libnanomsg.dylib
private_libs="-framework Security -framework CoreFoundation -liconv -lSystem"

export "CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_RUSTFLAGS=-Lframework=$work/frameworks"

build_archive() {
    find_zig
    rust rustc --lib --crate-type staticlib --features cli
    put_frameworks
    rust build --features cli --lib --bin nanocat
}

put_frameworks() {
    wanted=$(llvm-nm --undefined-only --just-symbol-name "$(built)/libnanomsg.a" 2>/dev/null | sort -u)
    framework Security '^_k?(Sec|SSL|CMS|Authorization)'
    framework CoreFoundation '^_k?CF'
}

# framework NAME PATTERN: a text stub with the names that match.
framework() {
    mkdir -p "$work/frameworks/$1.framework"
    {
        echo "--- !tapi-tbd"
        echo "tbd-version: 4"
        echo "targets: [ x86_64-macos, arm64-macos ]"
        echo "install-name: '/System/Library/Frameworks/$1.framework/Versions/A/$1'"
        echo "exports:"
        echo "  - targets: [ x86_64-macos, arm64-macos ]"
        echo "    symbols: [ $(echo "$wanted" | grep -E "$2" | paste -sd, -) ]"
        echo "..."
    } >"$work/frameworks/$1.framework/$1.tbd"
}

# Of macOS. What zig compiles is for no earlier one.
oldest=13.0
# lld, which comes with Rust: zig's own linker exports every name. As `make link` does it: the list decides, and a name that nobody
# defines ends the linking.
link_library() {
    mkdir -p "$work/lib"
    cp "$(built)/libnanomsg.a" "$work/lib/"
    sed 's/^/_/' src/ffi/exports.txt >"$work/exports"
    host=$(rustc -vV | sed -n 's/^host: //p')
    # shellcheck disable=SC2046
    "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" -flavor darwin -arch "$arch" \
        -platform_version macos $oldest $oldest -dylib -dead_strip -o "$work/lib/$real" \
        -install_name $soname -compatibility_version 6 -current_version 6.0.1 \
        -exported_symbols_list "$work/exports" $(sed 's/^/-u /' "$work/exports") "$work/lib/libnanomsg.a" \
        -F "$work/frameworks" -framework Security -framework CoreFoundation \
        "$(find "$zig_tools/" -name libSystem.tbd | head -1)"
    for name in $names; do ln -sf "$real" "$work/lib/$name"; done
}

exported() {
    llvm-nm --extern-only --defined-only --just-symbol-name "$work/lib/$real" | sed 's/^_//'
}

check_library() {
    named=$(llvm-objdump --macho --dylib-id "$work/lib/$real" | tail -1)
    test "$named" = "$soname" || fail "its name is $named"
    versions=$(llvm-objdump --macho --private-headers "$work/lib/$real" | sed -n '/LC_ID_DYLIB/,/compatibility/s/ *[a-z]* version //p' | paste -sd' ' -)
    test "$versions" = "6.0.1 6.0.0" || fail "its current and compatible versions are $versions"
}
