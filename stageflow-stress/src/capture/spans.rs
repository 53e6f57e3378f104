//! The open spans of a test that has a deadline: what it was doing when the deadline passed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The spans of a test that are open. Kept only where a watchdog will ask for them.
#[derive(Debug, Default)]
pub struct OpenSpans {
    watched: AtomicBool,
    spans: Mutex<BTreeMap<u64, OpenSpan>>,
}

#[derive(Debug)]
struct OpenSpan {
    text: String,
    entered_on: Vec<String>,
    changed: Instant,
}

/// An open span, as the diagnosis of a hang shows it.
#[derive(Debug, Clone)]
pub struct SpanSeen {
    /// Name and fields.
    pub text: String,
    /// The threads that are inside it. Empty: it is held by a future that is suspended.
    pub entered_on: Vec<String>,
    /// Time since it was last entered or left.
    pub idle: Duration,
}

impl OpenSpans {
    /// Keeps the spans from here on.
    pub fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    /// The spans that are open now.
    pub fn seen(&self) -> Vec<SpanSeen> {
        self.lock()
            .values()
            .map(|span| SpanSeen {
                text: span.text.clone(),
                entered_on: span.entered_on.clone(),
                idle: span.changed.elapsed(),
            })
            .collect()
    }

    pub(super) fn opened(&self, id: u64, text: impl FnOnce() -> String) {
        if self.watched.load(Ordering::Relaxed) {
            let span = OpenSpan { text: text(), entered_on: Vec::new(), changed: Instant::now() };
            self.lock().insert(id, span);
        }
    }

    pub(super) fn entered(&self, id: u64) {
        self.change(id, |span| span.entered_on.push(thread_name()));
    }

    pub(super) fn left(&self, id: u64) {
        self.change(id, |span| {
            let name = thread_name();
            if let Some(at) = span.entered_on.iter().rposition(|entered| *entered == name) {
                span.entered_on.remove(at);
            }
        });
    }

    pub(super) fn closed(&self, id: u64) {
        if self.watched.load(Ordering::Relaxed) {
            self.lock().remove(&id);
        }
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut OpenSpan)) {
        if self.watched.load(Ordering::Relaxed)
            && let Some(span) = self.lock().get_mut(&id)
        {
            change(span);
            span.changed = Instant::now();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, OpenSpan>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("unnamed").to_owned()
}
