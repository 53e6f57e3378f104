//! What one run showed, as data, and how it differs from the control run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::arm::Reported;
use super::noise::{Noise, differing};
use super::{AuditValue, Strategy};

/// What a run showed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunEvidence {
    pub reported: Reported,
    /// The error that the body returned, or its panic.
    pub error: String,
    pub checks: Vec<(String, bool)>,
    /// What must hold whatever the run reports.
    pub always: Vec<(String, bool)>,
    pub laws: Vec<(String, i128, i128)>,
    pub outputs: BTreeMap<String, Value>,
    /// Keys in order, by ledger.
    pub effects: BTreeMap<String, Vec<String>>,
    /// Effects after the end.
    pub late: usize,
    /// The snapshots of each state, in order.
    pub audits: BTreeMap<String, Vec<AuditValue>>,
    pub calls: BTreeMap<String, u64>,
    /// Messages from info on, without what differs between the control runs.
    pub log: Vec<String>,
    /// Log records for which there was no room.
    pub lost: u64,
    /// Tasks alive beyond those before.
    pub tasks: usize,
    /// Panics that were not injected.
    pub panics: Vec<String>,
    /// Why the plan's own load, shape or inputs could not be used, if so.
    pub unusable: Option<String>,
}

impl RunEvidence {
    /// Which strategies see a difference from the control run, each with what it saw.
    pub fn differences(&self, control: &RunEvidence, noise: &Noise) -> Vec<(Strategy, String)> {
        let mut seen = self.wrong(control, noise);
        let mut add = |strategy, what: String| seen.push((strategy, what));
        for (port, expected) in &control.calls {
            let calls = self.calls.get(port).copied().unwrap_or_default();
            if calls < *expected {
                add(
                    Strategy::MetricsValidation,
                    format!("`{port}` was called {calls} times instead of {expected}"),
                );
            }
        }
        if let Some(line) = self.missing_lines(control).first() {
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

    /// The same, of what must not differ behind a reported success even where a fault struck: other lines, fewer calls and a loud
    /// end are what faults bring.
    pub fn wrong(&self, control: &RunEvidence, noise: &Noise) -> Vec<(Strategy, String)> {
        let mut seen = self.left_behind(control);
        let mut add = |strategy, what: String| seen.push((strategy, what));
        for (name, passed) in &self.checks {
            if !passed {
                add(Strategy::Invariants, format!("check failed: {name}"));
            }
        }
        // A check that the control run made and this one did not come to says nothing, which is not the same as yes.
        for (name, _) in control.checks.iter().filter(|(name, _)| !named(&self.checks, name)) {
            add(Strategy::Invariants, format!("not checked: {name}"));
        }
        for (name, left, right) in &self.laws {
            if left != right {
                add(Strategy::MetricsValidation, format!("{name}: {left} and {right}"));
            }
        }
        for (name, expected) in &control.outputs {
            match self.outputs.get(name) {
                Some(output) => {
                    let open = differing(expected, output).into_iter().find(|at| !noise.covers(name, at));
                    if let Some(at) = open {
                        add(Strategy::GoldenOutput, format!("{name}: {}", said(&at, expected, output)));
                    }
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
        for (name, expected) in &control.audits {
            let last = self.audits.get(name).and_then(|all| all.last());
            if last != expected.last() {
                let what = last.zip(expected.last()).map_or_else(
                    || "it was not looked at".to_owned(),
                    |(last, expected)| state_said(&expected.differences(last)),
                );
                add(
                    Strategy::StateAudit,
                    format!("the state `{name}` is not that of the control run: {what}"),
                );
            }
        }
        seen
    }

    /// What is wrong even behind a reported failure: its caller was told that it is over, and it is not; or what must hold either way does
    /// not.
    pub fn left_behind(&self, control: &RunEvidence) -> Vec<(Strategy, String)> {
        let mut seen: Vec<(Strategy, String)> = Vec::new();
        for (name, passed) in &self.always {
            if !passed {
                seen.push((Strategy::Invariants, format!("does not hold: {name}")));
            }
        }
        if self.late > control.late {
            seen.push((Strategy::SideEffects, format!("{} effects after the end", self.late)));
        }
        if self.tasks > control.tasks {
            let more = self.tasks - control.tasks;
            seen.push((Strategy::StateAudit, format!("{more} tasks are alive after the end")));
        }
        seen
    }

    /// Lines of the control run that this one lacks, each as often as it lacks it.
    pub fn missing_lines(&self, control: &RunEvidence) -> Vec<String> {
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        for line in &self.log {
            *open.entry(line).or_default() += 1;
        }
        let mut missing = Vec::new();
        for line in &control.log {
            match open.get_mut(line.as_str()) {
                Some(left) if *left > 0 => *left -= 1,
                _ => missing.push(line.clone()),
            }
        }
        missing
    }
}

fn named(checks: &[(String, bool)], name: &str) -> bool {
    checks.iter().any(|(other, _)| other == name)
}

/// The first differences of a state, and how many more there are.
fn state_said(differences: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = differences[..differences.len().min(SHOWN)].join("; ");
    match differences.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// What stands at a pointer in both.
fn said(at: &str, expected: &Value, found: &Value) -> String {
    let short = |value: Option<&Value>| {
        let text = value.map_or_else(|| "absent".to_owned(), Value::to_string);
        match text.char_indices().nth(120) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    format!("`{at}` is {} instead of {}", short(found.pointer(at)), short(expected.pointer(at)))
}
