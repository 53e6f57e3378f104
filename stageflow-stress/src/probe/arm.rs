//! One run of a scenario within a campaign, and what it left behind.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::saboteur::{Planted, Saboteur};
use super::{AuditValue, Strategy};
use crate::classify::words;
use crate::effects::Effects;
use crate::fault::{FaultPlan, Faults};

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
    pub planted: Option<Planted>,
    asked: Arc<AtomicU64>,
    pub seen: Mutex<Seen>,
}

/// What the scenario showed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub checks: Vec<(String, bool)>,
    pub laws: Vec<(String, i128, i128)>,
    pub outputs: BTreeMap<String, Value>,
    pub ledgers: Vec<Effects>,
    pub audits: BTreeMap<String, Vec<AuditValue>>,
    pub plans: Vec<FaultPlan>,
    pub kinds: Option<Vec<crate::fault::FaultKind>>,
}

impl Arm {
    pub fn new(plan: FaultPlan, planted: Option<Planted>) -> Self {
        let sabotage = planted.as_ref().and_then(|planted| planted.port.clone());
        let asked = Arc::<AtomicU64>::default();
        Arm { faults: Faults::for_arm(plan, sabotage, asked.clone()), planted, asked, seen: Mutex::default() }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ledger(&self, name: &str) -> Effects {
        let tamper = self
            .planted
            .as_ref()
            .filter(|planted| planted.at == name)
            .and_then(|planted| planted.effects.clone());
        let ledger = Effects::tampered(name, tamper, self.asked.clone());
        self.seen().ledgers.push(ledger.clone());
        ledger
    }

    /// Ends the run: what was held back comes now, too late.
    pub fn release_after_end(&self) {
        for ledger in &self.seen().ledgers {
            ledger.release();
        }
    }

    /// What there is to see of the run, once it is quiet.
    pub fn evidence(
        &self,
        reported: Reported,
        error: String,
        log: Vec<String>,
        tasks: usize,
        panics: Vec<String>,
    ) -> RunEvidence {
        let seen = self.seen();
        let mut audits: BTreeMap<String, Vec<AuditValue>> = seen.audits.clone();
        let stale = self.planted.as_ref().filter(|planted| planted.saboteur == Saboteur::StaleState);
        if let Some(planted) = stale
            && let Some(snapshots) = audits.get_mut(&planted.at)
            && let [first, .., last] = snapshots.as_mut_slice()
            && first != last
        {
            *last = first.clone();
            planted.mark_applied();
        }
        let mut log = log;
        if let Some(planted) = self.planted.as_ref().filter(|planted| planted.saboteur == Saboteur::LogOff)
            && !log.is_empty()
        {
            log.truncate(log.len() / 2);
            planted.mark_applied();
        }
        let mut effects: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut late = 0;
        for ledger in &seen.ledgers {
            effects.entry(ledger.name().to_owned()).or_default().extend(ledger.keys());
            late += ledger.late();
        }
        RunEvidence {
            reported,
            error,
            checks: seen.checks.clone(),
            laws: seen.laws.clone(),
            outputs: seen.outputs.clone(),
            effects,
            late,
            audits: audits.into_iter().filter_map(|(name, mut all)| Some((name, all.pop()?))).collect(),
            calls: self.faults.report().ports.iter().map(|(name, port)| (name.clone(), port.calls)).collect(),
            log,
            tasks,
            panics,
        }
    }
}

/// What a run showed, as data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunEvidence {
    pub reported: Reported,
    /// The error that the body returned, or its panic.
    pub error: String,
    pub checks: Vec<(String, bool)>,
    pub laws: Vec<(String, i128, i128)>,
    pub outputs: BTreeMap<String, Value>,
    /// Keys in order, by ledger.
    pub effects: BTreeMap<String, Vec<String>>,
    /// Effects after the end.
    pub late: usize,
    /// The last snapshot of each.
    pub audits: BTreeMap<String, AuditValue>,
    pub calls: BTreeMap<String, u64>,
    /// Messages from info on, without what differs between the control runs.
    pub log: Vec<String>,
    /// Tasks alive beyond those before.
    pub tasks: usize,
    /// Panics that were not injected.
    pub panics: Vec<String>,
}

impl RunEvidence {
    /// Which strategies see a difference from the control run, each with what it saw. `noise` are the outputs that differ between two control
    /// runs.
    pub fn differences(&self, control: &RunEvidence, noise: &[String]) -> Vec<(Strategy, String)> {
        let mut seen = Vec::new();
        let mut add = |strategy, what: String| seen.push((strategy, what));
        for (name, passed) in &self.checks {
            if !passed {
                add(Strategy::Invariants, format!("check failed: {name}"));
            }
        }
        for (name, left, right) in &self.laws {
            if left != right {
                add(Strategy::MetricsValidation, format!("{name}: {left} and {right}"));
            }
        }
        for (name, expected) in &control.outputs {
            match self.outputs.get(name) {
                _ if noise.contains(name) => {}
                Some(output) if output == expected => {}
                Some(output) => {
                    add(Strategy::GoldenOutput, format!("{name}: {}", difference(expected, output)))
                }
                None => add(Strategy::GoldenOutput, format!("{name} is missing")),
            }
        }
        for (name, expected) in &control.effects {
            let effects = self.effects.get(name).map(Vec::as_slice).unwrap_or_default();
            if effects != expected {
                let what = format!("effects on `{name}`: {effects:?} instead of {expected:?}");
                add(Strategy::SideEffects, what);
            }
        }
        if self.late > control.late {
            add(Strategy::SideEffects, format!("{} effects after the end", self.late));
        }
        for (name, expected) in &control.audits {
            if self.audits.get(name) != Some(expected) {
                add(Strategy::StateAudit, format!("the state `{name}` is not that of the control run"));
            }
        }
        for (port, expected) in &control.calls {
            let calls = self.calls.get(port).copied().unwrap_or_default();
            if calls < *expected {
                add(
                    Strategy::MetricsValidation,
                    format!("`{port}` was called {calls} times instead of {expected}"),
                );
            }
        }
        if self.tasks > control.tasks {
            add(
                Strategy::StateAudit,
                format!("{} tasks are alive after the end", self.tasks - control.tasks),
            );
        }
        let mut expected: BTreeMap<&str, i64> = BTreeMap::new();
        for line in &control.log {
            *expected.entry(line).or_default() += 1;
        }
        for line in &self.log {
            *expected.entry(line).or_default() -= 1;
        }
        if let Some((line, _)) = expected.iter().find(|(_, missing)| **missing > 0) {
            add(Strategy::LogAnalysis, format!("a line of the control run is missing: {line}"));
        }
        if let Some(panic) = self.panics.get(control.panics.len()) {
            add(Strategy::LogAnalysis, format!("a panic that nobody reported: {panic}"));
        }
        if self.reported != control.reported {
            add(Strategy::DiffTesting, format!("it reported {}: {}", self.reported, self.error));
        }
        seen
    }
}

/// Where two values differ first.
fn difference(expected: &Value, found: &Value) -> String {
    fn walk<'v>(path: String, one: &'v Value, other: &'v Value) -> Option<(String, &'v Value, &'v Value)> {
        if one == other {
            return None;
        }
        let inner = match (one, other) {
            (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => one
                .iter()
                .zip(other.values())
                .find_map(|((key, one), other)| walk(format!("{path}/{key}"), one, other)),
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => one
                .iter()
                .zip(other)
                .enumerate()
                .find_map(|(at, (one, other))| walk(format!("{path}/{at}"), one, other)),
            _ => None,
        };
        inner.or(Some((path, one, other)))
    }
    match walk(String::new(), expected, found) {
        Some((path, one, other)) => format!("`{path}` is {} instead of {}", short(other), short(one)),
        None => "equal".to_owned(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
