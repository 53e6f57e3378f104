//! Ledgers of side effects: what happened, in which order, when.

mod tamper;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::classify::Severity;
use crate::context;
use crate::finding::{Finding, FindingType};
pub(crate) use tamper::Tamper;

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
    /// The test that the ledger belongs to, if it does. It must not keep the test alive.
    test: Option<Weak<context::Inner>>,
    /// A failure that is planted in it, for one run of a probe.
    tamper: Option<Arc<Tamper>>,
    /// How many effects the whole run of a probe has asked for, whatever becomes of them.
    asked: Option<Arc<AtomicU64>>,
    /// When the run of a probe ended that the ledger belongs to.
    ended: Mutex<Option<Duration>>,
    /// Somebody has asked what it holds.
    read: AtomicBool,
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
        Effects::made(name, None, None, None)
    }

    /// An empty ledger of a test.
    pub(crate) fn watched(name: &str, test: &Arc<context::Inner>) -> Self {
        Effects::made(name, Some(Arc::downgrade(test)), None, None)
    }

    /// An empty ledger of one run of a probe.
    pub(crate) fn tampered(name: &str, tamper: Option<Arc<Tamper>>, asked: Arc<AtomicU64>) -> Self {
        Effects::made(name, None, tamper, Some(asked))
    }

    /// The run is over: what was held back comes now, and what comes from here on is late.
    pub(crate) fn release(&self) {
        let now = self.inner.started.elapsed();
        *self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        for held in self.inner.tamper.iter().flat_map(|tamper| tamper.held()) {
            let late = RecordedEffect { at: self.inner.started.elapsed(), ..held };
            self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner).push(late);
        }
    }

    /// How many effects came after the end of the run.
    pub(crate) fn late(&self) -> usize {
        let ended = *self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.map_or(0, |ended| self.recorded().iter().filter(|effect| effect.at > ended).count())
    }

    fn made(
        name: &str,
        test: Option<Weak<context::Inner>>,
        tamper: Option<Arc<Tamper>>,
        asked: Option<Arc<AtomicU64>>,
    ) -> Self {
        Effects {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                started: Instant::now(),
                entries: Mutex::new(Vec::new()),
                test,
                tamper,
                asked,
                ended: Mutex::default(),
                read: AtomicBool::new(false),
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
        let mut entries = self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = &self.inner.asked {
            asked.fetch_add(1, Ordering::SeqCst);
        }
        match &self.inner.tamper {
            Some(tamper) => tamper.record(&mut entries, effect),
            None => entries.push(effect),
        }
        drop(entries);
        // Too late for the verdict, not for the run folder.
        if let Some(test) = self.inner.test.as_ref().and_then(Weak::upgrade)
            && test.background.is_closed()
            && let Some(finding) = self.late_finding(&test)
        {
            test.file(finding, "runtime", None);
        }
    }

    /// The finding for the effects that landed after the test's body had ended, if any did.
    pub(crate) fn late_finding(&self, test: &context::Inner) -> Option<Finding> {
        let end = test.background.body_ended()?.saturating_duration_since(self.inner.started);
        let late: Vec<_> = self.recorded().into_iter().filter(|effect| effect.at > end).collect();
        let first = late.first()?;
        let shown: Vec<_> = late
            .iter()
            .take(20)
            .map(|effect| {
                let after = effect.at.saturating_sub(end).as_secs_f64() * 1_000.0;
                serde_json::json!({ "key": effect.key, "ms_after_end": after })
            })
            .collect();
        Some(
            Finding::new(FindingType::SilentFailure, format!("an effect on `{}` after the end", self.name()))
                .severity(Severity::High)
                .rule("runtime.late_effect")
                .key(self.name())
                .description(format!(
                    "{} of the ledger `{}` landed after the body had ended, the first one (`{}`) {:?} after it: the test \
                     judged a state that was not final.",
                    if late.len() == 1 { "1 effect".to_owned() } else { format!("{} effects", late.len()) },
                    self.name(),
                    first.key,
                    first.at.saturating_sub(end)
                ))
                .evidence("late effects", "time after the end of the body", serde_json::json!({ "effects": shown })),
        )
    }

    /// How many effects there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.inner.read.store(true, Ordering::Relaxed);
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
        self.inner.read.store(true, Ordering::Relaxed);
        self.recorded()
    }

    /// The same, without its being taken for a look by the scenario.
    fn recorded(&self) -> Vec<RecordedEffect> {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys, without their being taken for a look by the scenario.
    pub(crate) fn recorded_keys(&self) -> Vec<String> {
        self.recorded().into_iter().map(|effect| effect.key).collect()
    }

    /// Whether the scenario has asked what the ledger holds.
    pub(crate) fn was_read(&self) -> bool {
        self.inner.read.load(Ordering::Relaxed)
    }
}
