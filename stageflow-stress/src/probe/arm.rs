//! One run of a scenario within a campaign: what the scenario shows, and what is done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::AuditValue;
use super::campaign::Sabotaged;
use super::record::RunEvidence;
use crate::classify::words;
use crate::effects::Effects;
use crate::fault::{FaultKind, FaultPlan, Faults};

words! {
    /// How a run of the scenario reported itself.
    pub enum Reported: "report" {
        /// The body returned `Ok`.
        Success = "success",
        /// The body returned an error or panicked.
        Failure = "failure",
        /// It did not come back.
        Unknown = "unknown",
    }
}

/// What a run does and records. Interior, since the probe hands out shared references.
#[derive(Debug)]
pub(crate) struct Arm {
    pub faults: Faults,
    sabotage: Option<Sabotaged>,
    asked: Arc<AtomicU64>,
    seen: Mutex<Seen>,
}

/// What the scenario showed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub checks: Vec<(String, bool)>,
    pub always: Vec<(String, bool)>,
    pub laws: Vec<(String, i128, i128)>,
    pub outputs: BTreeMap<String, Value>,
    pub masks: BTreeMap<String, BTreeSet<String>>,
    pub ledgers: Vec<Effects>,
    pub audits: BTreeMap<String, Vec<AuditValue>>,
    pub plans: Vec<FaultPlan>,
    pub kinds: Option<Vec<FaultKind>>,
    /// How often it is run again in another order of its tasks.
    pub repeats: Option<u64>,
    /// Load, shape and inputs as the scenario used them: what there is to make smaller.
    pub sizes: FaultPlan,
    unusable: Option<String>,
}

impl Arm {
    pub fn new(plan: FaultPlan, sabotage: Option<Sabotaged>) -> Self {
        let asked = Arc::<AtomicU64>::default();
        let at_port = match &sabotage {
            Some(Sabotaged::Port(sabotage)) => Some(sabotage.clone()),
            _ => None,
        };
        Arm { faults: Faults::for_arm(plan, at_port, asked.clone()), sabotage, asked, seen: Mutex::default() }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ledger(&self, name: &str) -> Effects {
        let tamper = match &self.sabotage {
            Some(Sabotaged::Ledger(at, tamper)) if at == name => Some(tamper.clone()),
            _ => None,
        };
        let ledger = Effects::tampered(name, tamper, self.asked.clone());
        self.seen().ledgers.push(ledger.clone());
        ledger
    }

    /// The load of this name: all of it, unless the plan says less.
    pub fn times(&self, name: &str, most: u64) -> u64 {
        let times = self.faults.plan().load.get(name).copied().unwrap_or(most).min(most);
        self.seen().sizes.load.insert(name.to_owned(), times);
        times
    }

    /// The size of this name: all of it, unless the plan says less.
    pub fn shape(&self, name: &str, most: u64) -> u64 {
        let size = self.faults.plan().shape.get(name).copied().unwrap_or(most).min(most);
        self.seen().sizes.shape.insert(name.to_owned(), size);
        size
    }

    /// The input of this name: the scenario's own, unless the plan has another.
    pub fn input<T: Serialize + DeserializeOwned>(&self, name: &str, own: T) -> T {
        let given = self.faults.plan().inputs.get(name).cloned();
        let (used, value) = match given.map(serde_json::from_value) {
            Some(Ok(other)) => (None, other),
            Some(Err(error)) => {
                (Some(format!("the input `{name}` of the plan cannot be read: {error}")), own)
            }
            None => (None, own),
        };
        let mut seen = self.seen();
        if seen.unusable.is_none() {
            seen.unusable = used;
        }
        if let Ok(value) = serde_json::to_value(&value) {
            seen.sizes.inputs.insert(name.to_owned(), value);
        }
        value
    }

    /// Ends the run: what comes from here on is too late.
    pub fn end(&self) {
        for ledger in &self.seen().ledgers {
            ledger.release();
        }
    }

    /// Whether the scenario reads what a ledger of this name holds: what is planted there can then change what it does.
    pub fn reads(&self, name: &str) -> bool {
        self.seen().ledgers.iter().any(|ledger| ledger.name() == name && ledger.was_read())
    }

    /// What there is to see of the run, once it is quiet.
    pub fn evidence(&self, reported: Reported, error: String, rest: Rest) -> RunEvidence {
        let seen = self.seen();
        let mut effects: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut late = 0;
        for ledger in &seen.ledgers {
            effects.entry(ledger.name().to_owned()).or_default().extend(ledger.recorded_keys());
            late += ledger.late();
        }
        RunEvidence {
            reported,
            error,
            checks: seen.checks.clone(),
            always: seen.always.clone(),
            laws: seen.laws.clone(),
            outputs: seen.outputs.clone(),
            effects,
            late,
            audits: seen.audits.clone(),
            calls: self.faults.report().ports.iter().map(|(name, port)| (name.clone(), port.calls)).collect(),
            log: rest.log,
            lost: rest.lost,
            tasks: rest.tasks,
            panics: rest.panics,
            unusable: seen.unusable.clone(),
        }
    }
}

/// What is seen of a run from outside.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    pub log: Vec<String>,
    pub lost: u64,
    pub tasks: usize,
    pub panics: Vec<String>,
}
