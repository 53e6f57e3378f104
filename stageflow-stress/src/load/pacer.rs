//! Waiting for a moment, more exactly than timers do.

use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The last part of a wait is spent awake: at least this, which is what a sleeping thread oversleeps by on an idle machine of one's
/// own, and at most that. Between them it follows what this thread has overslept by.
const AWAKE: Duration = Duration::from_micros(60);
const AWAKE_AT_MOST: Duration = Duration::from_millis(1);

thread_local! {
    static OVERSLEEPS: Cell<Duration> = const { Cell::new(AWAKE) };
}

/// Sleeps for less than `left`, and learns from how long it took.
fn nap(left: Duration, awake: Duration) {
    let (began, planned) = (Instant::now(), (left - awake).min(NAP));
    thread::sleep(planned);
    let over = began.elapsed().saturating_sub(planned);
    // Up at once, down slowly: what happened may happen again.
    let next = if over > awake { over } else { awake - awake / 16 };
    OVERSLEEPS.set(next.clamp(AWAKE, AWAKE_AT_MOST));
}

/// The longest sleep, after which a request to stop is noticed.
const NAP: Duration = Duration::from_millis(10);

/// The niceness that the generator asks for.
#[cfg(target_os = "linux")]
const NICE: i32 = -15;

/// Prepares the current thread for waiting: the system must not stretch its sleeps to save power, and should let it run when
/// it wakes up. It may refuse either; what the generator then lags is measured.
pub(super) fn prepare_thread() {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        // The thread alone: on Linux, niceness belongs to threads.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    }
}

/// Waits for the moment, and returns the time at which it ended; none if it was asked to stop.
pub(super) fn wait_until(moment: Instant, stop: &AtomicBool) -> Option<Instant> {
    loop {
        let now = Instant::now();
        if now >= moment {
            return Some(now);
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let (left, awake) = (moment - now, OVERSLEEPS.get());
        if left > awake {
            nap(left, awake);
        } else {
            hint::spin_loop();
        }
    }
}
