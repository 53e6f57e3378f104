//! The deadline of a test, kept on a thread of its own: no blocked runtime and no paused clock can hold it up.

use crate::terminal::say;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a test that was told to stop may take to do so before the process is ended.
const GRACE: Duration = Duration::from_secs(5);

/// Watches one test. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watchdog {
    done: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Calls `ask` when the deadline passes, and `end` if the watch still goes on some seconds later.
    pub fn start(
        deadline: Duration,
        ask: impl FnOnce() + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) -> Watchdog {
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let watched = done.clone();
        let thread = thread::Builder::new()
            .name("stageflow-watchdog".to_owned())
            .spawn(move || {
                if wait(&watched, deadline) {
                    return;
                }
                ask();
                if !wait(&watched, GRACE) {
                    end();
                }
            })
            .ok();
        if thread.is_none() {
            say!("stageflow-stress: the system refuses a thread; this test runs without its deadline");
        }
        Watchdog { done, thread }
    }
}

/// Waits until the watch is over; `false` if the time passed first.
fn wait(done: &(Mutex<bool>, Condvar), time: Duration) -> bool {
    let (over, changed) = done;
    let started = Instant::now();
    let mut guard = over.lock().unwrap_or_else(PoisonError::into_inner);
    while !*guard {
        let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else {
            return false;
        };
        guard = changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.done.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.done.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_test_that_ends_in_time_is_left_alone() {
        let calls = Arc::new(AtomicU32::new(0));
        let (ask, end) = (calls.clone(), calls.clone());
        drop(Watchdog::start(
            Duration::from_secs(3_600),
            move || ask.store(1, Ordering::SeqCst),
            move || end.store(1, Ordering::SeqCst),
        ));
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_test_that_is_late_is_asked_first() {
        let (send, receive) = std::sync::mpsc::channel();
        let watchdog = Watchdog::start(
            Duration::ZERO,
            move || send.send(()).unwrap(),
            || unreachable!("it ended in time"),
        );
        receive.recv().unwrap();
        drop(watchdog);
    }
}
