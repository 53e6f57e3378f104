//! Histories: what clients called, when, and what they got.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Returned<R> {
    /// It returned this.
    Ok(R),
    /// It certainly did not happen.
    Fail,
    /// Nobody knows whether it happened, or will: a timeout, a lost connection, a client that is gone.
    Unknown,
}

/// A call of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Called<C, R> {
    /// Who called.
    pub client: u64,
    /// What was called.
    pub call: C,
    /// What became of it.
    pub returned: Returned<R>,
    /// The moment of the call in the order of all moments.
    pub begin: u64,
    /// The moment of the return; none where it is unknown whether it happened.
    pub end: Option<u64>,
}

impl<C, R> Called<C, R> {
    /// A call by its moments.
    pub fn new(client: u64, call: C, returned: Returned<R>, begin: u64, end: u64) -> Self {
        let end = (!matches!(returned, Returned::Unknown)).then_some(end);
        Called { client, call, returned, begin, end }
    }
}

/// Calls in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<C, R> {
    pub(super) calls: Vec<Called<C, R>>,
}

impl<C, R> Default for History<C, R> {
    fn default() -> Self {
        History { calls: Vec::new() }
    }
}

impl<C, R> FromIterator<Called<C, R>> for History<C, R> {
    fn from_iter<I: IntoIterator<Item = Called<C, R>>>(calls: I) -> Self {
        let mut calls: Vec<_> = calls.into_iter().collect();
        calls.sort_by_key(|called| called.begin);
        History { calls }
    }
}

impl<C, R> History<C, R> {
    /// The calls.
    #[must_use]
    pub fn calls(&self) -> &[Called<C, R>] {
        &self.calls
    }
}

/// Records a history while clients run. Clone it for each.
///
/// ```
/// use stageflow_stress::oracle::{Recorder, Register, RegisterCall, linearizable};
///
/// let recorder = Recorder::new();
/// let write = recorder.call(0, RegisterCall::Write(1));
/// // … the real write …
/// write.ok(None);
/// let read = recorder.call(1, RegisterCall::Read);
/// read.ok(Some(1));
/// recorder.call(0, RegisterCall::Write(2)); // dropped without an answer: it may or may not have happened
/// assert!(linearizable(&Register::default(), &recorder.history()).is_valid());
/// ```
#[derive(Debug)]
pub struct Recorder<C, R> {
    inner: Arc<Mutex<Inner<C, R>>>,
}

#[derive(Debug)]
struct Inner<C, R> {
    next: u64,
    calls: Vec<Called<C, R>>,
}

impl<C, R> Clone for Recorder<C, R> {
    fn clone(&self) -> Self {
        Recorder { inner: self.inner.clone() }
    }
}

impl<C, R> Default for Recorder<C, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, R> Recorder<C, R> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Recorder { inner: Arc::new(Mutex::new(Inner { next: 0, calls: Vec::new() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<C, R>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a client calls. Say what it got with the token; a token that is dropped leaves it unknown.
    #[must_use = "a token that is dropped at once leaves the call's outcome unknown"]
    pub fn call(&self, client: u64, call: C) -> Token<C, R> {
        let mut inner = self.lock();
        let begin = inner.next;
        inner.next += 1;
        inner.calls.push(Called { client, call, returned: Returned::Unknown, begin, end: None });
        let position = inner.calls.len() - 1;
        drop(inner);
        Token { recorder: self.clone(), position }
    }

    /// What was recorded so far. Calls that have no answer yet are unknown.
    #[must_use]
    pub fn history(&self) -> History<C, R>
    where
        C: Clone,
        R: Clone,
    {
        History { calls: self.lock().calls.clone() }
    }
}

/// A call that has not been answered.
#[derive(Debug)]
pub struct Token<C, R> {
    recorder: Recorder<C, R>,
    position: usize,
}

impl<C, R> Token<C, R> {
    fn end(self, returned: Returned<R>) {
        let mut inner = self.recorder.lock();
        let end = inner.next;
        inner.next += 1;
        let called = &mut inner.calls[self.position];
        called.returned = returned;
        called.end = Some(end);
    }

    /// It returned.
    pub fn ok(self, value: R) {
        self.end(Returned::Ok(value));
    }

    /// It certainly did not happen.
    pub fn fail(self) {
        self.end(Returned::Fail);
    }

    /// Nobody knows.
    pub fn unknown(self) {}
}
