//! Ledgers of side effects: what happened, in which order, when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A clonable ledger that a stage, a stub or a store writes its side effects to.
///
/// ```
/// # use stageflow_stress::effects::Effects;
/// let charges = Effects::new("charges");
/// let for_the_stage = charges.clone();
/// std::thread::spawn(move || for_the_stage.record("order-1")).join().unwrap();
/// assert_eq!(charges.count(), 1);
/// assert_eq!(charges.keys(), ["order-1"]);
/// ```
#[derive(Debug, Clone)]
pub struct Effects {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    started: Instant,
    entries: Mutex<Vec<RecordedEffect>>,
}

/// One side effect.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedEffect {
    /// What it acted on.
    pub key: String,
    /// Time since the ledger was made.
    pub at: Duration,
}

impl Effects {
    /// An empty ledger.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Effects {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                started: Instant::now(),
                entries: Mutex::new(Vec::new()),
            }),
        }
    }

    /// The ledger's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Records an effect on `key`.
    pub fn record(&self, key: impl Into<String>) {
        let effect = RecordedEffect { key: key.into(), at: self.inner.started.elapsed() };
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
    }

    /// How many effects there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The keys, in the order in which the effects happened.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.entries().into_iter().map(|effect| effect.key).collect()
    }

    /// The effects, in the order in which they happened.
    #[must_use]
    pub fn entries(&self) -> Vec<RecordedEffect> {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
