//! Failures that are planted in a ledger of effects: what a probe must notice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::RecordedEffect;

/// What happens to the effects of a ledger, for one run.
#[derive(Debug)]
pub(crate) struct Tamper {
    how: How,
    recorded: AtomicU64,
    applied: AtomicBool,
    held: Mutex<Vec<RecordedEffect>>,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Skip(u64),
    Twice(u64),
    Overwrite,
    StopAfter(u64),
    Late(u64),
    Reorder,
}

impl Tamper {
    fn new(how: How) -> Self {
        Tamper { how, recorded: AtomicU64::new(0), applied: AtomicBool::new(false), held: Mutex::default() }
    }

    /// The n-th effect is not made.
    pub fn skip(n: u64) -> Self {
        Tamper::new(How::Skip(n))
    }

    /// The n-th effect is made twice.
    pub fn twice(n: u64) -> Self {
        Tamper::new(How::Twice(n))
    }

    /// Each effect takes the place of the one before.
    pub fn overwrite() -> Self {
        Tamper::new(How::Overwrite)
    }

    /// After n effects no more are made.
    pub fn stop_after(n: u64) -> Self {
        Tamper::new(How::StopAfter(n))
    }

    /// The n-th effect comes after the end.
    pub fn late(n: u64) -> Self {
        Tamper::new(How::Late(n))
    }

    /// The first effect comes after the second.
    pub fn reorder() -> Self {
        Tamper::new(How::Reorder)
    }

    pub fn was_applied(&self) -> bool {
        self.applied.load(Ordering::SeqCst)
    }

    pub fn record(&self, entries: &mut Vec<RecordedEffect>, effect: RecordedEffect) {
        let number = self.recorded.fetch_add(1, Ordering::SeqCst) + 1;
        let applied = || self.applied.store(true, Ordering::SeqCst);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match self.how {
            How::Skip(n) if n == number => applied(),
            How::Twice(n) if n == number => {
                applied();
                entries.push(effect.clone());
                entries.push(effect);
            }
            How::Overwrite if number > 1 => {
                applied();
                entries.pop();
                entries.push(effect);
            }
            How::StopAfter(n) if number > n => applied(),
            How::Late(n) if n == number => {
                applied();
                held.push(effect);
            }
            How::Reorder if number == 1 => held.push(effect),
            How::Reorder if number == 2 => {
                if held.iter().any(|first| first.key != effect.key) {
                    applied();
                }
                entries.push(effect);
                entries.append(&mut held);
            }
            _ => entries.push(effect),
        }
    }

    /// What becomes of effects that were recorded already: those that are there, and how many of them come late.
    pub fn rejudge(&self, keys: &[String]) -> (Vec<String>, usize) {
        let mut entries = Vec::new();
        for key in keys {
            self.record(&mut entries, RecordedEffect { key: key.clone(), at: std::time::Duration::ZERO });
        }
        let held = self.held();
        let late = held.len();
        (entries.into_iter().chain(held).map(|effect| effect.key).collect(), late)
    }

    /// What was held back.
    pub fn held(&self) -> Vec<RecordedEffect> {
        std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
