//! The end of the process.

use std::ffi::c_int;

unsafe extern "C" {
    fn atexit(callback: extern "C" fn()) -> c_int;
    #[cfg(not(target_env = "gnu"))]
    fn _exit(status: c_int) -> !;
    #[cfg(target_env = "gnu")]
    fn exit(status: c_int) -> !;
}

/// Registers `callback` to run when the process ends through `exit` or by returning from `main`.
///
/// Returns whether the system accepted it. The callback must not unwind.
pub fn at_exit(callback: extern "C" fn()) -> bool {
    // SAFETY: `atexit` is part of the C standard library, takes a function of exactly this type, and the function lives
    // as long as the program.
    unsafe { atexit(callback) == 0 }
}

/// Ends the process with the status of a failed test, from within a callback of [`at_exit`].
///
/// Calling `exit` there is undefined by POSIX and works on glibc, where it still writes coverage data; elsewhere
/// `_exit` is used. `std::process::exit` guards against re-entry and would not return.
pub fn end_process_as_failed() -> ! {
    #[cfg(target_env = "gnu")]
    // SAFETY: glibc documents a second call of `exit` from a handler: the remaining handlers run and the process ends.
    unsafe {
        exit(101)
    }
    #[cfg(not(target_env = "gnu"))]
    // SAFETY: `_exit` ends the process at once and touches no memory of ours.
    unsafe {
        _exit(101)
    }
}
