//! The tests of runs as test reports show them: one case for each test, with its attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::classify::Severity;
use crate::journal::record::TestStatus;
use crate::run::state::{RunState, TestState};

use super::{Exported, Item};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing red.
    Passed,
    /// Red.
    Failed,
    /// Its process died, or never came back from it.
    Died,
    /// It asked for something that this version does not have, or it is still running: neither good nor bad.
    Inconclusive,
    /// It said that it cannot run here, or it is ignored.
    Skipped,
    /// Registered, and nobody ran it.
    NotRun,
}

/// One go at a case.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// How it ended.
    pub fate: Fate,
    /// The word of the run folder for it.
    pub raw: String,
    /// What made it so, worst first.
    pub reasons: Vec<String>,
    /// When it began, RFC 3339.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How long its body took.
    pub took: Duration,
    /// The log, relative to the run folder.
    pub log: Option<String>,
}

/// A test, or a finding that no test stands for.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Path as the runner prints it.
    pub name: String,
    /// Package and crate.
    pub class: String,
    /// Source file, relative to the workspace, and line.
    pub place: Option<(String, u32)>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The command that runs it alone.
    pub reproduce: Option<String>,
    /// Its attempts, in order; never empty.
    pub attempts: Vec<Attempt>,
    /// What its attempts found.
    pub findings: Vec<&'a Item>,
}

/// The cases of one run.
#[derive(Debug)]
pub struct Suite<'a> {
    /// The roadmap entry.
    pub entry: String,
    /// The run, as `ENTRY/RUN`.
    pub run: String,
    /// What the journals say of it, where there are any.
    pub state: Option<&'a RunState>,
    /// The cases, by name.
    pub cases: Vec<Case<'a>>,
}

impl Case<'_> {
    /// The attempt that counts.
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Whether it passed in the end, and not at once.
    pub fn is_flaky(&self) -> bool {
        self.last().is_some_and(|last| last.fate == Fate::Passed)
            && self.attempts.iter().any(|attempt| matches!(attempt.fate, Fate::Failed | Fate::Died))
    }
}

/// The suites of an export: one for each run. Findings of runs of which no test is known are cases of their own, failed
/// if they are open and of high severity, else skipped: what nobody ran has not passed.
pub fn suites(exported: &Exported) -> Vec<Suite<'_>> {
    let mut suites: Vec<Suite<'_>> = exported.runs.iter().map(|state| suite(exported, state)).collect();
    for run in &exported.without_tests {
        let (entry, run_id) = run.split_once('/').unwrap_or((run, ""));
        let items = exported
            .items
            .iter()
            .filter(|item| item.entry == entry && item.runs.last().is_some_and(|r| r == run_id));
        let cases = items.filter(|item| !item.is_strength()).map(finding_case).collect();
        suites.push(Suite { entry: entry.to_owned(), run: run.clone(), state: None, cases });
    }
    suites.sort_by(|a, b| a.run.cmp(&b.run));
    suites
}

fn suite<'a>(exported: &'a Exported, state: &'a RunState) -> Suite<'a> {
    let mut tests: BTreeMap<(String, String, String, String), Vec<&TestState>> = BTreeMap::new();
    for test in &state.tests {
        let start = &test.start;
        let stress = start.stress.clone().unwrap_or_default();
        let key = (start.package.clone(), start.crate_name.clone(), start.name.clone(), stress);
        tests.entry(key).or_default().push(test);
    }
    let of_run: Vec<&Item> = exported
        .items
        .iter()
        .filter(|item| item.entry == state.info.entry.id && item.runs.contains(&state.info.run_id))
        .collect();
    let mut told = std::collections::BTreeSet::new();
    let mut cases = Vec::new();
    for ((package, crate_name, name, stress), mut attempts) in tests {
        attempts.sort_by(|a, b| (a.start.attempt, &a.started_at).cmp(&(b.start.attempt, &b.started_at)));
        let Some(start) = attempts.last().map(|test| &test.start) else { continue };
        let fingerprints: Vec<&String> = attempts.iter().flat_map(|test| &test.findings).collect();
        let findings: Vec<&Item> = of_run
            .iter()
            .copied()
            .filter(|item| item.fingerprint.as_ref().is_some_and(|own| fingerprints.contains(&own)))
            .collect();
        told.extend(findings.iter().map(|item| item.id.as_str()));
        cases.push(Case {
            name: if stress.is_empty() { name } else { format!("{name} (stress {stress})") },
            class: if package.replace('-', "_") == crate_name {
                package
            } else {
                format!("{package}::{crate_name}")
            },
            place: (!start.file.is_empty()).then(|| (start.file.clone(), start.line)),
            tags: start.tags.clone(),
            reproduce: Some(start.reproduce.clone()).filter(|command| !command.is_empty()),
            attempts: attempts.iter().map(|test| attempt(test)).collect(),
            findings,
        });
    }
    if let Some(catalogue) = &state.catalogue {
        for test in catalogue.tests.iter().filter(|test| test.entry == state.info.entry.id) {
            let ran = catalogue.ended.contains(&test.key())
                || state
                    .tests
                    .iter()
                    .any(|t| t.start.name == test.name && t.start.crate_name == test.crate_name);
            if !ran {
                cases.push(not_run(test.name.clone(), test.crate_name.clone(), test.ignored.as_deref()));
            }
        }
    }
    let untold = of_run.into_iter().filter(|item| !told.contains(item.id.as_str()) && !item.is_strength());
    cases.extend(untold.map(finding_case));
    let entry = state.info.entry.id.clone();
    Suite { run: format!("{entry}/{}", state.info.run_id), entry, state: Some(state), cases }
}

fn attempt(test: &TestState) -> Attempt {
    let (fate, why) = match test.status {
        TestStatus::Passed => (Fate::Passed, None),
        TestStatus::Failed => (Fate::Failed, None),
        TestStatus::Skipped => (Fate::Skipped, None),
        TestStatus::Refused => (Fate::Inconclusive, None),
        TestStatus::Crashed => (Fate::Died, Some("it started and no end was recorded")),
        TestStatus::Running => (Fate::Inconclusive, Some("it was still running")),
    };
    let mut reasons = test.end.as_ref().map(|end| end.reasons.clone()).unwrap_or_default();
    reasons.extend(why.map(str::to_owned));
    let seconds = test.end.as_ref().map_or(0.0, |end| end.duration_ms / 1_000.0);
    Attempt {
        number: test.start.attempt,
        fate,
        raw: test.status.to_string(),
        reasons,
        started_at: Some(test.started_at.clone()),
        ended_at: test.ended_at.clone(),
        // A duration that is none is impossible data, of which the run's own report tells.
        took: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        log: Some(test.start.log.clone()).filter(|log| !log.is_empty()),
    }
}

fn not_run(name: String, class: String, ignored: Option<&str>) -> Case<'static> {
    let (fate, raw, reason) = match ignored {
        Some("") => (Fate::Skipped, "ignored", "it is ignored".to_owned()),
        Some(why) => (Fate::Skipped, "ignored", format!("it is ignored: {why}")),
        None => (Fate::NotRun, "not run", "it is registered, and this invocation did not run it".to_owned()),
    };
    let attempt = Attempt {
        number: 1,
        fate,
        raw: raw.to_owned(),
        reasons: vec![reason],
        started_at: None,
        ended_at: None,
        took: Duration::ZERO,
        log: None,
    };
    Case {
        name,
        class,
        place: None,
        tags: Vec::new(),
        reproduce: None,
        attempts: vec![attempt],
        findings: Vec::new(),
    }
}

/// A finding that no test stands for.
fn finding_case(item: &Item) -> Case<'_> {
    let severe = item.severity.known().is_none_or(|severity| severity >= Severity::High);
    let fate = if item.is_open() && severe { Fate::Failed } else { Fate::Skipped };
    let attempt = Attempt {
        number: 1,
        fate,
        raw: item.status.to_string(),
        reasons: vec![format!("{}: {} ({})", item.severity, item.title, item.status)],
        started_at: item.created_at.clone(),
        ended_at: None,
        took: Duration::ZERO,
        log: None,
    };
    Case {
        name: format!("finding {}", item.id),
        class: "findings".to_owned(),
        place: item.place.clone(),
        tags: item.tags.clone(),
        reproduce: item.reproduce().map(str::to_owned),
        attempts: vec![attempt],
        findings: vec![item],
    }
}
