//! Which test a thread works for.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};

use super::logfile::LogFile;
use super::panics::CaughtPanic;
use crate::log::format::Route;

/// A test that is running, as far as capture needs to know it.
#[derive(Debug)]
pub struct Active {
    /// Its log.
    pub log: LogFile,
    /// What the test did at the places of assertions.
    pub assertions: crate::assertion::Counts,
    /// The panics that were caught, in order.
    pub panics: std::sync::Mutex<Vec<CaughtPanic>>,
    /// The thread that runs the body.
    pub body_thread: std::thread::ThreadId,
}

static ACTIVE: RwLock<Vec<Arc<Active>>> = RwLock::new(Vec::new());

thread_local! {
    static TAG: RefCell<Option<Arc<Active>>> = const { RefCell::new(None) };
}

/// Makes a test known to the fallback for untagged threads.
pub fn register(test: &Arc<Active>) {
    ACTIVE.write().unwrap_or_else(PoisonError::into_inner).push(test.clone());
}

/// Takes it away again.
pub fn unregister(test: &Arc<Active>) {
    ACTIVE.write().unwrap_or_else(PoisonError::into_inner).retain(|active| !Arc::ptr_eq(active, test));
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

/// Tags the current thread for as long as it lives: for threads that are started for one test.
pub fn tag_thread(test: &Arc<Active>) {
    TAG.with(|tag| *tag.borrow_mut() = Some(test.clone()));
}

/// Tags the current thread until the guard is dropped.
pub fn enter(test: &Arc<Active>) -> Tagged {
    Tagged { before: TAG.with(|tag| tag.borrow_mut().replace(test.clone())) }
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
        let _ = TAG.try_with(|tag| *tag.borrow_mut() = before);
    }
}
