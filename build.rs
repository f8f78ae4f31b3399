//! Names the shared object that `cargo build` links.
//!
//! rustc hands the linker a version script of its own, with the `no_mangle` functions, and GNU ld refuses to combine it
//! with a second one. The object that is installed is therefore linked by `make build`, from the static library, with
//! src/ffi/exports.txt as the only script. tests/exports.rs compares both with the list.

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
