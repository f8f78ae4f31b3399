//! Names the shared object.
//!
//! What it exports needs no help: rustc hands the linker a version script with the `no_mangle` functions, which makes
//! all else local and the names unversioned, as upstream's are. A second script would say the same, and GNU ld refuses
//! to combine two. tests/exports.rs compares what comes out with src/ffi/exports.txt.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let apple = env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple");
    if env::var_os("CARGO_CFG_UNIX").is_some() && !apple {
        // The number of upstream's versions 1.2 and later.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libnanomsg.so.6");
        // dlclose must not take away the code that a thread of ours is running.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
