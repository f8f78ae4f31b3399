# Windows, as mingw-w64 builds for it. Its programs run under Wine, which lacks one DLL of Windows': windows/prng.c stands for it there.
#
# WINDOWS=quick leaves out the unit tests and most of the C programs (those that windows/programs.txt does not call quick).
packages="gcc-mingw-w64-x86-64 wine wine64 nanomsg-utils"
tools="x86_64-w64-mingw32-gcc wine nanocat"
cc=x86_64-w64-mingw32-gcc
nm=x86_64-w64-mingw32-nm
windows=$here/windows
runner=$windows/wine.sh
real=nanomsg.dll
names=libnanomsg.dll.a
# What Rust's std takes from the system.
private_libs="-lws2_32 -lntdll -luserenv -ldbghelp"
link_flags="$private_libs"
export NN_WINE="$work/wine"

# The list of exported names becomes a definition file, from which the linker makes the import library as well.
link_library() {
    mkdir -p "$work/lib"
    { echo "LIBRARY $real"; echo EXPORTS; sed 's/^/  /' src/ffi/exports.txt; } >"$work/lib/nanomsg.def"
    cp "$(built)/libnanomsg.a" "$work/lib/libnanomsg.a"
    # shellcheck disable=SC2086
    $cc -shared -o "$work/lib/$real" "$work/lib/nanomsg.def" "$work/lib/libnanomsg.a" -static-libgcc \
        -Wl,--gc-sections,-s,--out-implib,"$work/lib/libnanomsg.dll.a" $link_flags
}

exported() {
    x86_64-w64-mingw32-objdump -p "$work/lib/$real" | sed -n 's/^\t*\[ *[0-9]*\] .*\(nn_[a-z_]*\)$/\1/p'
}

build_nanocat() {
    rust build --features cli --bin nanocat
    mkdir -p "$work/bin"
    cp "$(built)/nanocat.exe" "$work/bin/nanocat"
}

# As mingw's packages are laid out: DLL and programs in bin, both import libraries in lib. There are no links.
install_files() {
    rm -rf "$out"
    make -s -o build install DESTDIR= PREFIX="$out" STAGE="$work/lib" STAGED_CAT="$work/bin/nanocat" REAL="$real" \
        NAMES="$names" CATS= POINTER_SIZE=$((bits / 8)) PRIVATE_LIBS="$private_libs"
    rm "$out/lib/libnanomsg.dll.a" "$out/lib/pkgconfig/libnanomsg.pc"
    mv "$out/lib/$real" "$out/bin/$real"
    mv "$out/bin/nanocat" "$out/bin/nanocat.exe"
    cp "$work/lib/libnanomsg.dll.a" "$out/lib/libnanomsg.dll.a"
    # The name that linkers of Microsoft's look for.
    cp "$work/lib/libnanomsg.dll.a" "$out/lib/nanomsg.lib"
    cp "$out/lib/pkgconfig/nanomsg.pc" "$out/lib/pkgconfig/libnanomsg.pc"
}

# ---- Testing ----

is_quick() { test "${WINDOWS:-}" = quick; }

# A place of its own for Wine, and the DLL that it lacks.
start_wine() {
    mkdir -p "$NN_WINE" "$work/programs"
    $cc -shared -O1 -o "$work/programs/bcryptprimitives.dll" "$windows/prng.c" -ladvapi32
    cp "$out/bin/nanomsg.dll" "$out/bin/nanocat.exe" "$work/programs/"
    "$windows/wine.sh" --start
}

run_unit_tests() {
    is_quick && return
    # Where the programs of the tests are.
    mkdir -p "$(built)/deps"
    cp "$work/programs/bcryptprimitives.dll" "$(built)/deps/"
    set --
    for name in $(sed 's/ *#.*//; /^$/d' "$windows/unit_tests_left_out.txt"); do set -- "$@" --skip "$name"; done
    rust test --lib -- "$@"
}

run_programs() {
    CC=$cc PROGRAMS="$work/programs" OUT="$out" "$windows/programs.sh" ${WINDOWS:-}
}

run_interop() {
    make -s library 2>/dev/null || make -s build
    CC=$cc PROGRAMS="$work/programs" OUT="$out" "$windows/interop.sh"
}

run_tests() {
    start_wine
    run_programs
    run_interop
    run_unit_tests
    say "its tests have passed"
}
