//! Sampling: a thread that looks at the process at even times.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::growth::{ResourceError, Usage};
use crate::sys;

/// The most samples that are kept. When there are as many, every second one goes and the interval doubles.
const KEPT: usize = 4_000;

/// What the process used at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Since the beginning of the watch.
    pub at: Duration,
    /// Turns that were counted until then.
    pub turns: u64,
    /// Resident memory in bytes.
    pub rss: u64,
    /// Processor time of the process since the beginning of the watch.
    pub cpu: Duration,
    /// Threads, that of the sampler among them.
    pub threads: u64,
    /// Open file descriptors.
    pub fds: u64,
    /// Tasks of the runtime that are alive; none outside of a runtime.
    pub tasks: Option<u64>,
    /// Bytes that are allocated and not freed; none where nobody counts them.
    pub heap: Option<u64>,
}

/// Who is told when a watch is over.
pub(crate) type Finished = Box<dyn FnOnce(&Usage) + Send>;

/// A watch over the process. It ends with [`finish`](Watch::finish); dropped before, it is not recorded.
#[must_use = "a watch that is dropped at once sees nothing"]
pub struct Watch {
    name: String,
    turns: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    finished: Option<Finished>,
}

#[derive(Debug)]
struct Seen {
    samples: Vec<Sample>,
    interval: Duration,
    missed: u64,
}

/// Looks at the process.
struct Eye {
    begin: Instant,
    cpu_before: Duration,
    turns: Arc<AtomicU64>,
    runtime: Option<Handle>,
}

impl Eye {
    fn look(&self) -> Option<Sample> {
        let turns = self.turns.load(Ordering::Relaxed);
        let usage = sys::process_usage()?;
        Some(Sample {
            at: self.begin.elapsed(),
            turns,
            rss: usage.rss,
            cpu: usage.cpu.saturating_sub(self.cpu_before),
            threads: usage.threads,
            fds: usage.fds,
            tasks: self.runtime.as_ref().map(|runtime| runtime.metrics().num_alive_tasks() as u64),
            heap: sys::allocated().map(|allocated| allocated.live),
        })
    }
}

/// Starts watching.
pub(crate) fn watch(
    name: &str,
    interval: Duration,
    finished: Option<Finished>,
) -> Result<Watch, ResourceError> {
    sys::USAGE_IS_READ.map_err(|why| ResourceError::NotAvailable { why })?;
    if interval < Duration::from_millis(1) {
        return Err(ResourceError::Interval { interval });
    }
    let turns = Arc::new(AtomicU64::new(0));
    let seen = Arc::new(Mutex::new(Seen { samples: Vec::new(), interval, missed: 0 }));
    let usage =
        sys::process_usage().ok_or(ResourceError::NotAvailable { why: "/proc/self cannot be read" })?;
    let eye = Eye {
        begin: Instant::now(),
        cpu_before: usage.cpu,
        turns: turns.clone(),
        runtime: Handle::try_current().ok(),
    };
    let (stop, stopped) = mpsc::channel::<()>();
    let shared = seen.clone();
    let thread = thread::Builder::new()
        .name("stageflow-sampler".to_owned())
        .spawn(move || {
            let mut due = eye.begin;
            loop {
                let sample = eye.look();
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match sample {
                    Some(sample) => seen.samples.push(sample),
                    None => seen.missed += 1,
                }
                if seen.samples.len() >= KEPT {
                    let mut nth = 0_usize;
                    seen.samples.retain(|_| {
                        nth += 1;
                        nth % 2 == 1
                    });
                    seen.interval *= 2;
                }
                let interval = seen.interval;
                due += interval;
                // Times that have passed already cannot be sampled any more.
                while due <= Instant::now() {
                    due += interval;
                    seen.missed += 1;
                }
                drop(seen);
                match stopped.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            // The last state counts, whenever the next sample would have been due.
            if let Some(sample) = eye.look() {
                shared.lock().unwrap_or_else(PoisonError::into_inner).samples.push(sample);
            }
        })
        .map_err(|source| ResourceError::Thread { source })?;
    Ok(Watch { name: name.to_owned(), turns, seen, stop: Some(stop), thread: Some(thread), finished })
}

impl Watch {
    /// A watch outside of a test, recorded nowhere. Within a test, use
    /// [`TestContext::watch_resources`](crate::TestContext::watch_resources).
    ///
    /// # Errors
    /// An operating system that does not tell, an interval below a millisecond, no thread from the system.
    pub fn start(name: &str, interval: Duration) -> Result<Self, ResourceError> {
        watch(name, interval, None)
    }

    /// Counts a turn: a request, a session's exchange, whatever growth is to be measured by. From any thread.
    pub fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the watch.
    pub fn finish(mut self) -> Usage {
        self.stop_thread();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = Usage {
            name: self.name.clone(),
            samples: seen.samples.clone(),
            interval: seen.interval,
            missed: seen.missed,
        };
        drop(seen);
        if let Some(finished) = self.finished.take() {
            finished(&usage);
        }
        usage
    }

    fn stop_thread(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there would be no samples to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop_thread();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("name", &self.name).field("turns", &self.turns).finish_non_exhaustive()
    }
}
