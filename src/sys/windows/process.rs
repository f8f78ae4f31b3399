//! What concerns the whole process. Nobody forks here, threads are not cancelled, and signals do not interrupt them.

use std::io;
use std::ops::Deref;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW, GetModuleHandleW,
    GetProcAddress,
};
use windows_sys::core::{PCSTR, PCWSTR, s, w};

/// Always the first process.
#[inline]
pub(crate) fn generation() -> u32 {
    0
}

pub(crate) fn on_fork() {}

/// C runtimes that a program may end through, each with the function that adds to what its `exit` runs before it ends the
/// process: the old one, which mingw uses by default, and the one of Windows 10.
const RUNTIMES: [(PCWSTR, PCSTR); 2] = [(w!("msvcrt.dll"), s!("_onexit")), (w!("ucrtbase.dll"), s!("_crt_atexit"))];

/// As the runtimes call it. _onexit's result is not looked at; it takes one that has a result, which is not looked at either.
type Register = unsafe extern "C" fn(extern "C" fn()) -> usize;

/// Runs `action` when the program calls `exit` or returns from `main`, if it does so through one of the known C runtimes. What a
/// DLL registers with its own atexit would run when all other threads are gone already (DLL_PROCESS_DETACH), too late to
/// send anything.
pub(crate) fn at_exit(action: extern "C" fn()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        stay_loaded();
        for (module, function) in RUNTIMES {
            // SAFETY: both names end with a NUL. A runtime that is loaded stays, as long as it has something to run.
            unsafe {
                let module = GetModuleHandleW(module);
                if !module.is_null()
                    && let Some(found) = GetProcAddress(module, function)
                {
                    // Both functions take a pointer to a function without arguments, and return an int or a pointer.
                    let register = std::mem::transmute::<unsafe extern "system" fn() -> isize, Register>(found);
                    register(action);
                }
            }
        }
    });
}

/// FreeLibrary must not take away the code that a thread of ours is running.
fn stay_loaded() {
    let flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    let here = stay_loaded as *const () as PCWSTR;
    let mut module: HMODULE = std::ptr::null_mut();
    // SAFETY: with this flag the name is any address in the module.
    unsafe { GetModuleHandleExW(flags, here, &raw mut module) };
}

/// Threads are not cancelled here.
pub(crate) struct CancelGuard;

impl CancelGuard {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self
    }
}

/// So that what is held for the time of a call is held to its end, as elsewhere.
impl Drop for CancelGuard {
    #[inline(always)]
    fn drop(&mut self) {}
}

/// Something whose end is a cancellation point on other systems.
#[derive(Debug)]
pub(in crate::sys) struct DropUncancelled<T>(T);

impl<T> From<T> for DropUncancelled<T> {
    fn from(inner: T) -> Self {
        Self(inner)
    }
}

impl<T> Deref for DropUncancelled<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

pub(crate) fn nap(time: Duration) {
    thread::sleep(time);
}

/// Starts a thread of the library's own.
pub(crate) fn spawn(
    name: &str,
    stack: usize,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(run)
}
