//! What a test leaves behind: threads that go on, and effects that land when nobody looks any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::sys;

/// How long threads may take to end after the body. Waited for only while there are any.
const SETTLE: Duration = Duration::from_millis(200);

/// The system cuts names of threads to this many bytes.
const NAME: usize = 15;

/// Marks the threads of a test: an unnamed thread inherits the system's name of the thread that starts it, over any
/// number of generations. So threads of other tests are never taken for this one's.
#[derive(Debug)]
pub struct Mark {
    prefix: String,
    before: Option<String>,
}

impl Mark {
    /// Marks the current thread, which runs the body.
    pub fn set(inner: &Inner) -> Mark {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let prefix = format!("{}:", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut name = prefix.clone();
        for character in inner.start.function.chars() {
            if name.len() + character.len_utf8() > NAME {
                break;
            }
            name.push(character);
        }
        inner.background.set_mark(&prefix);
        Mark { prefix, before: sys::rename_current_thread(&name) }
    }

    /// Takes the mark off the body's thread again and waits until its threads have ended, or the window has closed.
    pub fn settle(self, inner: &Inner) -> Leftovers {
        if let Some(before) = &self.before {
            sys::rename_current_thread(before);
        }
        let started = Instant::now();
        loop {
            let left = self.left(inner);
            if left.is_none() || started.elapsed() > SETTLE {
                return left;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn left(&self, inner: &Inner) -> Leftovers {
        let runtime = inner.background.runtime_threads.load(Ordering::SeqCst);
        let mut inherited: Vec<_> = match &self.before {
            Some(_) => {
                sys::thread_names().into_iter().filter(|(_, name)| name.starts_with(&self.prefix)).collect()
            }
            None => Vec::new(),
        };
        // Those of the runtime carry the mark as well and are counted already.
        inherited.truncate(inherited.len().saturating_sub(runtime));
        Leftovers { runtime, started: inner.background.threads(), inherited }
    }
}

/// The threads that were alive when the window closed.
#[derive(Debug)]
pub struct Leftovers {
    /// Workers and blocking threads of the test's runtime, after its shutdown.
    runtime: usize,
    /// Started through the context.
    started: Vec<String>,
    /// Started otherwise, by number and name.
    inherited: Vec<(u32, String)>,
}

impl Leftovers {
    fn is_none(&self) -> bool {
        self.runtime == 0 && self.started.is_empty() && self.inherited.is_empty()
    }

    /// Makes findings of them and of late effects. From here on what is recorded is late.
    pub fn file(&self, inner: &Inner) {
        inner.background.close();
        let exact = self.runtime + self.started.len();
        if !self.is_none() {
            // A pool that fills itself with the first use and stays is legitimate, and nothing tells it from a leak.
            let severity = if exact > 0 { Severity::High } else { Severity::Medium };
            let title =
                if exact > 0 { "threads outlive the test" } else { "unnamed threads outlive the test" };
            let threads: Vec<_> = sys::threads()
                .into_iter()
                .filter(|thread| self.inherited.iter().any(|(id, _)| *id == thread.id))
                .map(|thread| {
                    json!({
                        "name": thread.name, "state": thread.state.to_string(), "waits_in": thread.waits_in,
                    })
                })
                .collect();
            let finding = Finding::new(FindingType::Reliability, title)
                .severity(severity)
                .rule("runtime.leaked_thread")
                .description(format!(
                    "After the body had ended and a settling window had passed, these threads of the test were alive: {} of \
                     its runtime (workers that are blocked, or `spawn_blocking`), {} started with `spawn_thread`, {} started \
                     otherwise.",
                    self.runtime,
                    self.started.len(),
                    self.inherited.len()
                ))
                .evidence(
                    "threads alive",
                    "counted by the runtime, the context and the system",
                    json!({
                        "runtime": self.runtime, "spawn_thread": self.started, "inherited": threads,
                    }),
                );
            inner.file(finding, "runtime", None);
        }
        for ledger in inner.background.ledgers() {
            if let Some(finding) = ledger.late_finding(inner) {
                inner.file(finding, "runtime", None);
            }
        }
    }
}
