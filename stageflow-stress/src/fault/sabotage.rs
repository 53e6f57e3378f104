//! A failure that is planted at a port so that nobody hears of it: what a probe must notice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

/// What is planted at a port, for one run.
#[derive(Debug)]
pub(crate) struct Sabotage {
    port: String,
    /// The operation is not run.
    instead: bool,
    /// It panics, and the panic is caught.
    eats: bool,
    /// The answers of the run without faults, in order.
    answers: Vec<Value>,
    change: fn(&Value) -> Value,
    applied: AtomicBool,
}

impl Sabotage {
    pub fn new(
        port: &str,
        instead: bool,
        eats: bool,
        answers: Vec<Value>,
        change: fn(&Value) -> Value,
    ) -> Self {
        Sabotage { port: port.to_owned(), instead, eats, answers, change, applied: AtomicBool::new(false) }
    }

    pub fn was_applied(&self) -> bool {
        self.applied.load(Ordering::SeqCst)
    }

    pub fn is_at(&self, port: &str) -> bool {
        self.port == port
    }

    /// What stands in for the answer of an operation that is not run.
    pub fn instead(&self, call: u64) -> Option<Value> {
        if !self.instead {
            return None;
        }
        let number = usize::try_from(call).ok()?.checked_sub(1)?;
        let answer = self.answers.get(number).or(self.answers.last())?;
        if self.eats {
            let port = &self.port;
            let _ = catch_unwind(AssertUnwindSafe(|| panic!("sabotage at `{port}`: a panic that is eaten")));
        }
        Some((self.change)(answer))
    }

    /// What stands in for this answer.
    pub fn changed(&self, answer: &Value) -> Option<Value> {
        if self.instead {
            return None;
        }
        let other = (self.change)(answer);
        (other != *answer).then_some(other)
    }

    pub fn mark_applied(&self) {
        self.applied.store(true, Ordering::SeqCst);
    }
}
