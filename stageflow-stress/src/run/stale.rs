//! Findings that are not seen any more. That proves nothing by itself: a test that did not run, or did not come to the
//! check, sees nothing either. So what is counted is how often the test that saw a finding ran, came there and passed.

use std::collections::BTreeMap;
use std::path::Path;

use super::claim::read_info;
use super::fold::read_state;
use super::state::{RunState, TestState};
use crate::Severity;
use crate::finding::{
    FindingId, FindingStatus, FindingStore, FoundFinding, KnownFindings, StoredRun, run_order,
};
use crate::journal::record::{GoldenOutcome, TestStatus};

/// From so many later runs on in which its test passed, a finding is proposed as fixed.
const ENOUGH: usize = 3;

/// At most this many later runs of an entry are read, the latest ones.
const RUNS: usize = 20;

/// A finding that is not resolved, and that the latest run of its entry has not seen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stale {
    /// The roadmap entry; empty for a listed finding without id that no run has seen.
    pub entry: String,
    /// Its id, as far as it has one.
    pub id: Option<String>,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its title, as far as it has one.
    pub title: Option<String>,
    /// Its status.
    pub status: FindingStatus,
    /// The last run that saw it; none, where no run that is still there did.
    pub last_seen: Option<String>,
    /// What the runs after that one did.
    pub absence: Absence,
}

/// What the runs did that did not see a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Absence {
    /// Later runs of its entry.
    pub later_runs: usize,
    /// Those whose records are not there any more, or were not read because there are very many.
    pub not_read: usize,
    /// Those in which a test that saw it ran to its end.
    pub ran: usize,
    /// Those in which that test came to the check.
    pub reached: usize,
    /// Those in which it then passed, on another commit than the one on which the finding was last seen.
    pub passed: usize,
    /// Those in which it passed on the same commit: nothing was changed, so nothing was fixed.
    pub same_commit: usize,
}

impl Stale {
    /// Whether it is proposed as fixed: its test ran, came to the check and passed in at least three later runs on another
    /// commit, or without one. Whether it is fixed is for somebody to say.
    #[must_use]
    pub fn proposed_fixed(&self) -> bool {
        self.absence.passed >= ENOUGH
    }

    /// Why it is proposed as fixed, or what is missing.
    #[must_use]
    pub fn reason(&self) -> String {
        let Absence { later_runs, not_read, ran, reached, passed, same_commit } = self.absence;
        if self.last_seen.is_none() {
            return "listed, and no run that is still here has seen it".to_owned();
        }
        if self.proposed_fixed() {
            return format!(
                "not seen in {later_runs} later runs; its test came to the check and passed in {passed}"
            );
        }
        let mut reason = format!(
            "not seen in {later_runs} later runs, but its test ran in {ran}, came to the check in {reached} and passed \
             in {passed} on another commit; {ENOUGH} are needed"
        );
        if same_commit > 0 {
            reason.push_str(&format!(" ({same_commit} passed on the commit on which it was last seen)"));
        }
        if not_read > 0 {
            reason.push_str(&format!(" ({not_read} were not read)"));
        }
        reason
    }
}

/// The findings that the latest runs have not seen, of those that are not resolved; those proposed as fixed first. Listed
/// findings that no run has seen come last. The store has to know the committed file
/// ([`FindingStore::with_known`]).
///
/// ```no_run
/// use stageflow_stress::FindingStore;
/// use stageflow_stress::finding::{KNOWN_FILE, KnownFindings};
///
/// let known = KnownFindings::load(KNOWN_FILE)?;
/// let store = FindingStore::open("runs")?.with_known(&known);
/// for stale in stageflow_stress::run::stale(&store, &known) {
///     let proposed = if stale.proposed_fixed() { "proposed: fixed" } else { "stale" };
///     println!("{} {proposed}: {}", stale.id.as_deref().unwrap_or(&stale.fingerprint), stale.reason());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn stale(store: &FindingStore, known: &KnownFindings) -> Vec<Stale> {
    let mut states: BTreeMap<&Path, Option<RunState>> = BTreeMap::new();
    let mut stale = Vec::new();
    for found in store.findings() {
        let (Some(fingerprint), Some(status)) = (&found.fingerprint, found.status.known()) else { continue };
        if found.in_latest_run || matches!(status, FindingStatus::Resolved) {
            continue;
        }
        let last = found.runs.iter().max_by_key(|run| run_order(run));
        let Some(last) = last else { continue };
        let runs: Vec<&StoredRun> = store.runs().iter().filter(|run| run.entry == found.entry).collect();
        let later: Vec<&StoredRun> =
            runs.iter().copied().filter(|run| run_order(&run.run_id) > run_order(last)).collect();
        let mut absence = Absence { later_runs: later.len(), ..Absence::default() };
        let commit = runs
            .iter()
            .find(|run| run.run_id == *last)
            .and_then(|run| read_info(&run.dir))
            .and_then(|info| info.git_commit);
        absence.not_read = later.len().saturating_sub(RUNS);
        for run in later.into_iter().rev().take(RUNS) {
            let state = states.entry(&run.dir).or_insert_with(|| read_state(&run.dir).ok());
            match state {
                Some(state) => count(&mut absence, found, state, commit.as_deref()),
                None => absence.not_read += 1,
            }
        }
        stale.push(Stale {
            entry: found.entry.clone(),
            id: Some(found.id.clone()),
            fingerprint: fingerprint.clone(),
            title: Some(found.title.clone()),
            status,
            last_seen: Some(last.clone()),
            absence,
        });
    }
    stale.sort_by_key(|stale| !stale.proposed_fixed());
    let seen = |fingerprint: &str| {
        store.findings().iter().any(|found| found.fingerprint.as_deref() == Some(fingerprint))
    };
    for listed in known.iter().filter(|listed| listed.status != FindingStatus::Resolved) {
        if seen(&listed.fingerprint) {
            continue;
        }
        stale.push(Stale {
            entry: entry(listed.id.as_deref()),
            id: listed.id.clone(),
            fingerprint: listed.fingerprint.clone(),
            title: listed.title.clone(),
            status: listed.status,
            last_seen: None,
            absence: Absence::default(),
        });
    }
    stale
}

fn entry(id: Option<&str>) -> String {
    id.and_then(|id| id.parse::<FindingId>().ok()).map(|id| id.entry.to_string()).unwrap_or_default()
}

/// What one later run did.
fn count(absence: &mut Absence, found: &FoundFinding, state: &RunState, last_commit: Option<&str>) {
    let tests: Vec<String> = found
        .latest
        .extension("tests")
        .and_then(|tests| serde_json::from_value(tests).ok())
        .unwrap_or_default();
    let of_test: Vec<&TestState> =
        state.tests.iter().filter(|test| tests.contains(&test.start.name) && test.end.is_some()).collect();
    if of_test.is_empty() {
        return;
    }
    absence.ran += 1;
    if !of_test.iter().any(|test| reached(found, test)) {
        return;
    }
    absence.reached += 1;
    // One execution that did not pass may be the defect in another guise.
    if of_test.iter().all(|test| test.status == TestStatus::Passed && reached(found, test)) {
        match (last_commit, &state.info.git_commit) {
            (Some(last), Some(now)) if last == now => absence.same_commit += 1,
            _ => absence.passed += 1,
        }
    }
}

/// Whether a test came to where the finding was made. A check and a golden have a name; everything else is made at the end of
/// a test or ends it, so that a test that ended well came there.
fn reached(found: &FoundFinding, test: &TestState) -> bool {
    let text = |name: &str| found.latest.extension(name).and_then(|value| Some(value.as_str()?.to_owned()));
    let key = text("key");
    match (text("rule").as_deref(), key.as_deref()) {
        (Some("check"), Some(key)) => test.checks.iter().any(|check| check.name == key),
        (Some(rule), Some(key)) if rule.starts_with("golden.") => {
            test.goldens.iter().any(|golden| golden.name == key && golden.outcome == GoldenOutcome::Match)
        }
        _ => test.status == TestStatus::Passed,
    }
}

/// The state of what a team has accepted: it may shrink, and nothing may be added without somebody saying why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ratchet<'a> {
    /// Findings of the latest runs that nobody accepted, from a severity on. Each is red.
    pub unknown: Vec<&'a FoundFinding>,
    /// Findings that came back after they were fixed. Each is red.
    pub regressions: Vec<&'a FoundFinding>,
    /// Accepted findings that the latest runs saw.
    pub accepted: Vec<&'a FoundFinding>,
    /// Accepted findings that they did not see.
    pub stale: Vec<Stale>,
}

impl Ratchet<'_> {
    /// Whether it holds: nothing unknown, nothing that came back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.unknown.is_empty() && self.regressions.is_empty()
    }
}

/// How what the latest runs saw compares with what is accepted. Findings below `fail_on` and strengths are not held against
/// anybody.
#[must_use]
pub fn ratchet<'a>(store: &'a FindingStore, known: &KnownFindings, fail_on: Severity) -> Ratchet<'a> {
    let mut ratchet =
        Ratchet { unknown: Vec::new(), regressions: Vec::new(), accepted: Vec::new(), stale: Vec::new() };
    for found in store.findings().iter().filter(|found| found.in_latest_run) {
        let accepted = found.fingerprint.as_ref().is_some_and(|print| known.accepts(print));
        if found.regression {
            ratchet.regressions.push(found);
        } else if accepted {
            ratchet.accepted.push(found);
        } else if found.known.is_none()
            && found.severity.known().is_some_and(|severity| severity >= fail_on)
            && found.kind.known() != Some(crate::FindingType::Strength)
        {
            ratchet.unknown.push(found);
        }
    }
    ratchet.stale =
        stale(store, known).into_iter().filter(|stale| known.accepts(&stale.fingerprint)).collect();
    ratchet
}

#[cfg(test)]
#[path = "stale_tests.rs"]
mod tests;
