//! What a test has running beside its body: its futures, threads and ledgers, for what is looked at when it ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use tokio::runtime::Handle;

use super::suspend::FutureState;
use crate::effects::Effects;

/// The background of a test.
#[derive(Debug, Default)]
pub(crate) struct Background {
    /// Whether the test has a deadline: only then are its futures followed.
    watched: AtomicBool,
    futures: Mutex<Vec<Weak<FutureState>>>,
    runtime: Mutex<Option<Handle>>,
    /// Threads of the test's runtime, its blocking ones among them.
    pub(crate) runtime_threads: Arc<AtomicUsize>,
    /// Names of the threads that the test started through its context.
    threads: Mutex<Vec<String>>,
    ledgers: Mutex<Vec<Effects>>,
    body_ended: OnceLock<Instant>,
    closed: AtomicBool,
    /// What the system's names of the test's threads begin with.
    mark: OnceLock<String>,
    /// Tasks of the watchdog that nobody has run.
    pub(crate) heartbeats: Arc<AtomicUsize>,
    /// What was running when the deadline passed, if it did.
    pub(crate) diagnosis: OnceLock<Diagnosis>,
}

/// What was running when the deadline passed.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// For people.
    pub(crate) text: String,
    /// The same for programs.
    pub(crate) facts: serde_json::Value,
    /// The futures that were ready and that nobody had woken.
    pub(crate) lost: Vec<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Background {
    /// Follows the test's futures from here on.
    pub(crate) fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    /// Whether futures are followed.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Follows a future, for as long as it lives.
    pub(crate) fn follow(&self, state: &Arc<FutureState>) {
        let mut futures = lock(&self.futures);
        // Now and then, so that a test with a million short tasks does not keep a million dead entries.
        if futures.len() >= 64 && futures.len().is_power_of_two() {
            futures.retain(|future| future.strong_count() > 0);
        }
        futures.push(Arc::downgrade(state));
    }

    /// The futures that are not done.
    pub(crate) fn futures(&self) -> Vec<Arc<FutureState>> {
        lock(&self.futures).iter().filter_map(Weak::upgrade).collect()
    }

    /// Lends the runtime to the watchdog; `None` takes it back.
    pub(crate) fn set_runtime(&self, runtime: Option<Handle>) {
        *lock(&self.runtime) = runtime;
    }

    /// The runtime, while the body runs.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        lock(&self.runtime).clone()
    }

    /// Says what the system's names of the test's threads begin with.
    pub(crate) fn set_mark(&self, prefix: &str) {
        let _ = self.mark.set(prefix.to_owned());
    }

    /// What the system's names of the test's threads begin with.
    pub(crate) fn mark(&self) -> &str {
        self.mark.get().map_or("", String::as_str)
    }

    /// A thread of the test begins.
    pub(crate) fn thread_started(&self, name: &str) {
        lock(&self.threads).push(name.to_owned());
    }

    /// It ends.
    pub(crate) fn thread_ended(&self, name: &str) {
        let mut threads = lock(&self.threads);
        if let Some(at) = threads.iter().position(|known| known == name) {
            threads.swap_remove(at);
        }
    }

    /// The threads that were started through the context and have not ended.
    pub(crate) fn threads(&self) -> Vec<String> {
        lock(&self.threads).clone()
    }

    /// Watches a ledger.
    pub(crate) fn add_ledger(&self, ledger: Effects) {
        lock(&self.ledgers).push(ledger);
    }

    /// The ledgers of the test.
    pub(crate) fn ledgers(&self) -> Vec<Effects> {
        lock(&self.ledgers).clone()
    }

    /// The body has ended.
    pub(crate) fn end_body(&self) {
        let _ = self.body_ended.set(Instant::now());
    }

    /// When the body ended, if it did.
    pub(crate) fn body_ended(&self) -> Option<Instant> {
        self.body_ended.get().copied()
    }

    /// The verdict is about to be given: what comes from here on is too late for it.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether the verdict was given.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
