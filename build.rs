//! Names the shared object that `cargo build` links.
//!
//! rustc hands the linker a version script of its own, with the `no_mangle` functions, and GNU ld refuses to combine it
//! with a second one. The object that is installed is therefore linked by `make build`, from the static library, with
//! src/ffi/exports.txt as the only script. tests/exports.rs compares both with the list.
//!
//! nanocat is linked to cargo's object, which has the same name, and runs on the installed one: it looks for it in the
//! lib folder beside its own, so that an installation works wherever it is put, and then where the system says.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The operating system below us (src/sys) is reached without system calls of our own.
    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let feature = |name: &str| env::var_os(format!("CARGO_FEATURE_{name}")).is_some();
    if !linux || feature("PORTABLE_SYS") {
        println!("cargo::rustc-cfg=portable_sys");
    }
    // The simulator's network carries what its seed decides, and the keys of TLS are random. It has no files either.
    let simulated = env::var_os("CARGO_CFG_SIMULATED").is_some();
    if !simulated {
        for (name, cfg) in [("IPC", "ipc"), ("TLS", "tls")] {
            if feature(name) {
                println!("cargo::rustc-cfg={cfg}");
            }
        }
    }
    // Large messages pass between processes by reference where the kernel has what that takes, and we speak to it.
    if linux && feature("IPC") && !feature("PORTABLE_SYS") && !simulated {
        println!("cargo::rustc-cfg=shared_memory");
    }
    if feature("WS") {
        println!("cargo::rustc-cfg=ws");
    }
    let apple = env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple");
    if env::var_os("CARGO_CFG_UNIX").is_some() && !apple {
        // The number of upstream's versions 1.2 and later.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libnanomsg.so.6");
        // dlclose must not take away the code that a thread of ours is running.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    if apple {
        // The same numbers as ELF's soname and file name have.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libnanomsg.6.dylib");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-compatibility_version,6.0.0,-current_version,6.0.1");
    }
    if env::var_os("CARGO_FEATURE_CLI").is_some() {
        let out = env::var("OUT_DIR").expect("cargo sets it");
        // Three folders up is that of the profile; the objects of this package are in its deps. Without this the linker
        // would take upstream's library where that is installed.
        let profile = Path::new(&out).ancestors().nth(3).expect("cargo's folders");
        println!("cargo::rustc-link-search=native={}", profile.join("deps").display());
        // Windows looks beside the program.
        if apple {
            println!("cargo::rustc-link-arg-bins=-Wl,-rpath,@executable_path/../lib");
        } else if env::var_os("CARGO_CFG_UNIX").is_some() {
            println!("cargo::rustc-link-arg-bins=-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib");
        }
    }
}
