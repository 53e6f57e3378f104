//! Which test a thread works for.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use super::logfile::LogFile;
use super::panics::CaughtPanic;
use super::spans::OpenSpans;
use crate::log::format::Route;

/// A test that is running, as far as capture needs to know it.
#[derive(Debug)]
pub struct Active {
    /// Its number within the process, never zero.
    pub id: u64,
    /// When it was set up.
    pub began: SystemTime,
    /// Its log.
    pub log: LogFile,
    /// What the test did at the places of assertions.
    pub assertions: crate::assertion::Counts,
    /// The panics that were caught, in order.
    pub panics: std::sync::Mutex<Vec<CaughtPanic>>,
    /// The thread that runs the body.
    pub body_thread: std::thread::ThreadId,
    /// Its open spans, where it has a deadline.
    pub spans: OpenSpans,
    /// A subscriber without our layer was made while it ran.
    other_subscriber: AtomicBool,
}

impl Active {
    /// A test that is about to run on this thread.
    pub fn new(log: LogFile) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Active {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            began: SystemTime::now(),
            log,
            assertions: Default::default(),
            panics: std::sync::Mutex::default(),
            body_thread: std::thread::current().id(),
            spans: OpenSpans::default(),
            other_subscriber: AtomicBool::new(false),
        }
    }

    /// Why its log is not complete, if the test itself brought that about.
    pub fn partial(&self) -> Option<String> {
        let why = "a tracing subscriber without our layer was made while the test ran, and takes the lines of its scope; add \
                   `stageflow_stress::layer()` to it";
        self.other_subscriber.load(Ordering::Relaxed).then(|| why.to_owned())
    }
}

/// The number of the only active test; zero while there is none or more than one.
static SOLE: AtomicU64 = AtomicU64::new(0);

static ACTIVE: RwLock<Vec<Arc<Active>>> = RwLock::new(Vec::new());

thread_local! {
    static TAG: RefCell<Option<Arc<Active>>> = const { RefCell::new(None) };
    /// The number of the test in the tag, zero without one: a hit of an assertion reads it and nothing else.
    static TAG_ID: Cell<u64> = const { Cell::new(0) };
}

/// Sets the tag of this thread, and returns the one before.
fn set_tag(test: Option<Arc<Active>>) -> Option<Arc<Active>> {
    let id = test.as_ref().map_or(0, |test| test.id);
    // While the thread's locals are being destroyed there is nothing left to tag.
    TAG.try_with(|tag| {
        let before = tag.replace(test);
        TAG_ID.set(id);
        before
    })
    .unwrap_or_default()
}

/// Makes a test known to the fallback for untagged threads.
pub fn register(test: &Arc<Active>) {
    let mut active = ACTIVE.write().unwrap_or_else(PoisonError::into_inner);
    active.push(test.clone());
    note_sole(&active);
}

/// Takes it away again.
pub fn unregister(test: &Arc<Active>) {
    let mut active = ACTIVE.write().unwrap_or_else(PoisonError::into_inner);
    active.retain(|active| !Arc::ptr_eq(active, test));
    note_sole(&active);
}

/// A subscriber without our layer was made. Whose it is cannot be told when several tests run.
pub fn another_subscriber() {
    for test in ACTIVE.read().unwrap_or_else(PoisonError::into_inner).iter() {
        test.other_subscriber.store(true, Ordering::Relaxed);
    }
}

fn note_sole(active: &[Arc<Active>]) {
    let id = if let [only] = active { only.id } else { 0 };
    SOLE.store(id, Ordering::Release);
}

/// The number of the test that [`current`] gives, without taking hold of it.
#[inline]
pub fn current_id() -> Option<u64> {
    let id = match TAG_ID.get() {
        0 => SOLE.load(Ordering::Acquire),
        tagged => tagged,
    };
    (id != 0).then_some(id)
}

/// The test that the current thread works for.
pub fn current() -> Option<(Arc<Active>, Route)> {
    // During the destruction of thread-locals there is no tag to be had.
    let tagged = TAG.try_with(|tag| tag.borrow().clone()).ok().flatten();
    if let Some(test) = tagged {
        return Some((test, Route::Thread));
    }
    let active = ACTIVE.read().unwrap_or_else(PoisonError::into_inner);
    match active.as_slice() {
        [only] => Some((only.clone(), Route::Sole)),
        _ => None,
    }
}

/// As [`current`], without taking hold of the test.
pub fn with_current<T>(tell: impl FnOnce(&Arc<Active>, Route) -> T) -> Option<T> {
    let mut tell = Some(tell);
    let tagged = TAG.try_with(|tag| {
        let tag = tag.borrow();
        tag.as_ref().and_then(|test| tell.take().map(|tell| tell(test, Route::Thread)))
    });
    if let Ok(Some(told)) = tagged {
        return Some(told);
    }
    let tell = tell?;
    let active = ACTIVE.read().unwrap_or_else(PoisonError::into_inner);
    match active.as_slice() {
        [only] => Some(tell(only, Route::Sole)),
        _ => None,
    }
}

/// Tags the current thread for as long as it lives: for threads that are started for one test.
pub fn tag_thread(test: &Arc<Active>) {
    let _ = set_tag(Some(test.clone()));
}

/// Tags the current thread until the guard is dropped.
pub fn enter(test: &Arc<Active>) -> Tagged {
    Tagged { before: set_tag(Some(test.clone())) }
}

/// Restores the earlier tag when dropped.
#[derive(Debug)]
#[must_use = "the thread is tagged only while the guard lives"]
pub struct Tagged {
    before: Option<Arc<Active>>,
}

impl Drop for Tagged {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = set_tag(before);
    }
}
