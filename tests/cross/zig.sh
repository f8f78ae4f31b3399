# For systems whose programs do not run here: zig's compiler and linker, which have what those systems' C libraries offer. PyPI has
# them; they are put into target/tools/zig.
zig_tools=$root/target/tools/zig
ziglang=0.15.1
cargo_zigbuild=0.20.1
