//! Waiting for a moment, more exactly than timers do.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The last part of a wait is spent awake: this is what a sleeping thread may oversleep by on an idle machine.
const AWAKE: Duration = Duration::from_micros(60);

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
        let left = moment - now;
        if left > AWAKE {
            thread::sleep((left - AWAKE).min(NAP));
        } else {
            hint::spin_loop();
        }
    }
}
