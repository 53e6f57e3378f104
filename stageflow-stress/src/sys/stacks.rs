//! The stack of another thread of this process.
//!
//! The thread is sent a signal, and its handler walks the stack that was interrupted. The handler only stores addresses
//! in memory that exists already: names and lines are looked up afterwards, by the thread that asked.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{mem, ptr, thread};

/// At most this many threads are asked during the life of a process.
const SLOTS: usize = 64;

/// At most this many frames of each are kept, the innermost ones.
const DEPTH: usize = 96;

/// Where one thread leaves its addresses. A slot serves one question only, so an answer that comes too late spoils nothing.
struct Slot {
    thread: AtomicI32,
    /// Addresses, innermost first, zero after the last.
    frames: [AtomicUsize; DEPTH],
    /// Where the thread was when the signal came; zero where the platform does not tell.
    interrupted: AtomicUsize,
    answered: AtomicBool,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        thread: AtomicI32::new(0),
        frames: [const { AtomicUsize::new(0) }; DEPTH],
        interrupted: AtomicUsize::new(0),
        answered: AtomicBool::new(false),
    }
}; SLOTS];

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The stack of the thread with the system's number `id`, innermost first, each frame as function, file and line.
///
/// # Errors
/// Why there is none: the signal is taken, the thread blocks it, or it is gone.
pub fn stack_of(id: u32, patience: Duration) -> Result<Vec<(String, String, u32)>, &'static str> {
    let signal = (*SIGNAL.get_or_init(install))?;
    let thread = i32::try_from(id).map_err(|_| "it has no such number")?;
    let slot = TABLE.get(TAKEN.fetch_add(1, Ordering::Relaxed)).ok_or("too many threads were asked")?;
    slot.thread.store(thread, Ordering::SeqCst);
    // SAFETY: the call takes three numbers and touches no memory. The process is our own, so a thread number that has
    // ended can at worst be one of our threads again, which answers into no slot.
    if unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) } != 0 {
        return Err("it is gone");
    }
    let asked = Instant::now();
    while !slot.answered.load(Ordering::Acquire) {
        if asked.elapsed() > patience {
            return Err("it did not answer the signal");
        }
        thread::sleep(Duration::from_millis(1));
    }
    let addresses = slot.frames.iter().map(|frame| frame.load(Ordering::Relaxed));
    let addresses: Vec<usize> = addresses.take_while(|address| *address != 0).collect();
    // The frames above the interrupted one are those of the handler.
    let interrupted = slot.interrupted.load(Ordering::Relaxed);
    let start = addresses.iter().position(|address| *address == interrupted).unwrap_or(0);
    Ok(addresses[start..].iter().flat_map(|address| named(*address)).collect())
}

/// The functions at an address: several where some were inlined.
fn named(address: usize) -> Vec<(String, String, u32)> {
    let mut found = Vec::new();
    backtrace::resolve(address as *mut c_void, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}")).unwrap_or_default();
        let file = symbol.filename().map(|file| file.display().to_string()).unwrap_or_default();
        found.push((name, file, symbol.lineno().unwrap_or(0)));
    });
    found
}

static SIGNAL: OnceLock<Result<c_int, &'static str>> = OnceLock::new();

/// Installs the handler, if nobody else uses the signal. It stays: a late answer would end the process otherwise.
fn install() -> Result<c_int, &'static str> {
    // Far from both ends: libraries take the first and the last ones.
    let signal = libc::SIGRTMIN() + 11;
    // SAFETY: both structures are plain data, valid when zeroed, and live through the calls; the handler has the type that
    // SA_SIGINFO asks for and does only what a handler may do, see `on_signal`.
    unsafe {
        let mut old: libc::sigaction = mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &mut old) != 0 || old.sa_sigaction != libc::SIG_DFL {
            return Err("the signal is used by somebody else");
        }
        let mut new: libc::sigaction = mem::zeroed();
        new.sa_sigaction = on_signal as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        // An interrupted system call goes on, and a thread with a stack for signals uses it.
        new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        if libc::sigaction(signal, &new, ptr::null_mut()) != 0 {
            return Err("the system refuses the signal");
        }
    }
    // The unwinder sets itself up on its first use, which is no work for a handler.
    backtrace::trace(|_| false);
    Ok(signal)
}

/// Runs on the thread that is asked, anywhere in its code, so it allocates nothing and takes no lock of ours.
///
/// The unwinder itself is not on the list of what POSIX allows in a handler. It is used all the same, as profilers do: it
/// reads tables that are mapped already. Should a thread that held the loader's lock not come back, the question times
/// out, and the process is about to be ended anyway.
extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the call takes nothing and cannot fail. `errno` belongs to this thread, and is given back as it was.
    let (thread, errno) = unsafe { (libc::syscall(libc::SYS_gettid) as i32, *libc::__errno_location()) };
    let open =
        |slot: &&Slot| slot.thread.load(Ordering::SeqCst) == thread && !slot.answered.load(Ordering::SeqCst);
    if let Some(slot) = TABLE.iter().find(open) {
        slot.interrupted.store(interrupted_at(context), Ordering::Relaxed);
        let mut depth = 0;
        // SAFETY: "unsynchronized" leaves out the lock that guards looking up names, of which walking needs nothing.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                if let Some(place) = slot.frames.get(depth) {
                    place.store(frame.ip() as usize, Ordering::Relaxed);
                }
                depth += 1;
                depth < DEPTH
            });
        }
        slot.answered.store(true, Ordering::Release);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

#[cfg(target_arch = "x86_64")]
fn interrupted_at(context: *mut c_void) -> usize {
    // SAFETY: the kernel hands a handler with SA_SIGINFO a pointer to this structure, which lives as long as the handler.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize] as usize }
}

#[cfg(not(target_arch = "x86_64"))]
fn interrupted_at(_: *mut c_void) -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[inline(never)]
    fn waits_for_the_signal_of(receiver: &mpsc::Receiver<()>) {
        let _ = receiver.recv();
        std::hint::black_box(());
    }

    #[test]
    fn a_blocked_thread_shows_where_it_waits_and_goes_on_unharmed() {
        let (id, wait) = (mpsc::channel(), mpsc::channel());
        let thread = thread::spawn(move || {
            // SAFETY: the call takes nothing and cannot fail.
            id.0.send(unsafe { libc::syscall(libc::SYS_gettid) } as u32).unwrap();
            waits_for_the_signal_of(&wait.1);
        });
        let id = id.1.recv().unwrap();
        let is_ours = |(name, ..): &&(String, String, u32)| name.contains("waits_for_the_signal_of");
        // The thread may not have got there yet.
        let mut asked = (0..20).map(|_| {
            thread::sleep(Duration::from_millis(20));
            stack_of(id, Duration::from_secs(30)).unwrap()
        });
        let frames = asked.find(|frames| frames.iter().any(|frame| is_ours(&frame)));
        let frames = frames.expect("the thread never waited");
        let ours = frames.iter().find(is_ours);
        let (_, file, line) = ours.unwrap_or_else(|| panic!("{frames:#?}"));
        assert!(file.ends_with("stacks.rs") && *line > 0, "{file}:{line}");
        assert!(!frames.iter().any(|(name, ..)| name.contains("on_signal")), "{frames:#?}");
        wait.0.send(()).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_that_is_gone_says_so() {
        // The largest number that a process can have, plus one.
        assert_eq!(stack_of(4_194_305, Duration::from_secs(1)), Err("it is gone"));
    }
}
