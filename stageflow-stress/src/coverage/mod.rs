//! How far the runs have come on the roadmap: the status of each entry, and what it was derived from.
//!
//! Nobody types a status. An entry is completed if one of its runs ended in order and ran every test that was registered
//! for it; in progress if there are runs or tests and none is like that; else not started. What the verdicts say is
//! another matter, and stands beside it.

mod checklist;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use crate::classify::{Priority, Risk, Severity, words};
use crate::finding::{FindingStore, StoredRun};
use crate::journal::record::TestStatus;
use crate::markdown::count;
use crate::report;
use crate::roadmap;
use crate::run::state::{EntryInfo, RunState};
use crate::run::{digests, read_state};
use serde_json::Value;

pub use checklist::checklist;
pub use sources::{SourceTest, tests_in_sources};

words! {
    /// How far an entry has come.
    pub enum Progress: "progress" {
        /// Neither a run nor a test.
        NotStarted = "not_started",
        /// Runs or tests, and no run that did all of it.
        Begun = "in_progress",
        /// A run ended in order and ran every test that is registered for the entry.
        Completed = "completed",
    }
}

/// A row of the roadmap with what the runs say of it.
#[derive(Debug, Clone)]
pub struct EntryStatus {
    /// The row.
    pub row: Row,
    /// How far it has come.
    pub progress: Progress,
    /// The run that it was derived from, if there is one.
    pub run: Option<String>,
    /// Day of that run.
    pub date: Option<String>,
    /// Why it has this status, in words.
    pub because: String,
    /// Verdict of that run and the rule that gave it.
    pub verdict: Option<(String, String)>,
    /// All its runs, oldest first.
    pub runs: Vec<String>,
    /// Open findings by severity, strengths aside; no zeros.
    pub open: BTreeMap<Severity, usize>,
    /// Tests in the sources that name the entry.
    pub sources: Vec<SourceTest>,
}

/// A row of a roadmap, built-in or a project's.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Id.
    pub id: String,
    /// What is tested.
    pub title: String,
    /// Number of the tier; 0 where there is none.
    pub tier: u8,
    /// Its heading.
    pub tier_title: String,
    /// Number of the section.
    pub section: String,
    /// Its heading.
    pub section_title: String,
    /// Priority; unknown for an entry that is in no roadmap.
    pub priority: Option<Priority>,
    /// Risk class.
    pub risk: Option<Risk>,
    /// Phase; 0 is none.
    pub phase: u8,
    /// The measurable target.
    pub target: Option<String>,
    /// Whether it is one of the built-in entries.
    pub built_in: bool,
}

impl Row {
    /// A built-in row.
    fn built_in(entry: &roadmap::Entry) -> Self {
        Row {
            id: entry.id.to_owned(),
            title: entry.title.to_owned(),
            tier: entry.tier,
            tier_title: entry.tier_title.to_owned(),
            section: entry.section.to_owned(),
            section_title: entry.section_title.to_owned(),
            priority: Some(entry.priority),
            risk: Some(entry.risk),
            phase: entry.phase,
            target: entry.target.map(|target| target.to_string()),
            built_in: true,
        }
    }

    /// A row of a project's own roadmap, as the runs carry it.
    fn of_run(info: &EntryInfo) -> Self {
        let numbered = |text: &str| {
            text.split_once(' ')
                .map_or((text.to_owned(), String::new()), |(n, t)| (n.to_owned(), t.to_owned()))
        };
        let (tier, tier_title) = numbered(&info.tier);
        let (section, section_title) = numbered(&info.section);
        Row {
            id: info.id.clone(),
            title: info.title.clone(),
            tier: tier.parse().unwrap_or(0),
            tier_title,
            section,
            section_title,
            priority: Some(info.priority),
            risk: Some(info.risk),
            phase: info.phase,
            target: info.target.clone(),
            built_in: false,
        }
    }

    /// A row of which only runs of other tools tell.
    fn unlisted(id: &str) -> Self {
        Row {
            id: id.to_owned(),
            title: "not in a roadmap".to_owned(),
            tier: 0,
            tier_title: String::new(),
            section: String::new(),
            section_title: String::new(),
            priority: None,
            risk: None,
            phase: 0,
            target: None,
            built_in: false,
        }
    }
}

/// The status of every built-in entry in the order of the roadmap, then of every other entry that has runs or tests.
///
/// `root` is the directory below which tests are looked for in sources; `tick` is called once for each entry.
pub fn coverage(store: Option<&FindingStore>, root: &Path, mut tick: impl FnMut()) -> Vec<EntryStatus> {
    let mut sources: BTreeMap<String, Vec<SourceTest>> = BTreeMap::new();
    for test in tests_in_sources(root) {
        sources.entry(test.entry.clone()).or_default().push(test);
    }
    let mut runs: BTreeMap<&str, Vec<&StoredRun>> = BTreeMap::new();
    for run in store.into_iter().flat_map(FindingStore::runs) {
        runs.entry(&run.entry).or_default().push(run);
    }
    let mut all: Vec<EntryStatus> = Vec::new();
    for entry in roadmap::entries() {
        let own = runs.remove(entry.id).unwrap_or_default();
        all.push(status(Row::built_in(entry), &own, sources.remove(entry.id).unwrap_or_default(), store));
        tick();
    }
    let others: std::collections::BTreeSet<String> =
        runs.keys().map(|id| (*id).to_owned()).chain(sources.keys().cloned()).collect();
    for id in others {
        let own = runs.remove(id.as_str()).unwrap_or_default();
        let info = own.iter().rev().find_map(|run| crate::run::read_info(&run.dir));
        let row = info.map_or_else(|| Row::unlisted(&id), |info| Row::of_run(&info.entry));
        all.push(status(row, &own, sources.remove(&id).unwrap_or_default(), store));
        tick();
    }
    all
}

fn status(
    row: Row,
    runs: &[&StoredRun],
    sources: Vec<SourceTest>,
    store: Option<&FindingStore>,
) -> EntryStatus {
    let mut open = BTreeMap::new();
    for found in store.into_iter().flat_map(|store| store.query().entry(row.id.as_str()).open().collect()) {
        if found.kind.known() != Some(crate::finding::FindingType::Strength) {
            // A severity that nobody knows is not made small.
            *open.entry(found.severity.known().unwrap_or(Severity::High)).or_default() += 1;
        }
    }
    let judged = judge(runs, &sources);
    let run_names = runs.iter().map(|run| run.run_id.clone()).collect();
    EntryStatus {
        progress: judged.progress,
        date: judged.run.and_then(day_of),
        run: judged.run.map(|run| run.run_id.clone()),
        because: judged.because,
        verdict: judged.verdict,
        runs: run_names,
        open,
        sources,
        row,
    }
}

struct Judged<'a> {
    progress: Progress,
    run: Option<&'a StoredRun>,
    because: String,
    verdict: Option<(String, String)>,
}

/// Looks at the runs from the newest on until one did everything. If none did, the newest says what is missing.
fn judge<'a>(runs: &[&'a StoredRun], sources: &[SourceTest]) -> Judged<'a> {
    let mut newest: Option<Judged<'_>> = None;
    for run in runs.iter().rev().copied() {
        let looked = look(run);
        if looked.progress == Progress::Completed {
            let mut judged = looked;
            if let Some(newest) = newest {
                judged.because.push_str(&format!("; a later run is not counted: {}", newest.because));
            }
            return judged;
        }
        newest.get_or_insert(looked);
    }
    newest.unwrap_or_else(|| match sources.len() {
        0 => Judged {
            progress: Progress::NotStarted,
            run: None,
            because: "no run, and no test in the sources".to_owned(),
            verdict: None,
        },
        n => Judged {
            progress: Progress::Begun,
            run: None,
            because: format!("{} in the sources, and no run", count(n, "test", "tests")),
            verdict: None,
        },
    })
}

/// What one run amounts to.
fn look(run: &StoredRun) -> Judged<'_> {
    let judged = |progress, because, verdict| Judged { progress, run: Some(run), because, verdict };
    if !run.dir.join(".stageflow/run.json").is_file() {
        // Nobody recorded tests, so the word of whoever wrote the document is all there is.
        let stated = run.status.as_deref().unwrap_or("nothing");
        let progress = if stated == "completed" { Progress::Completed } else { Progress::Begun };
        let because = format!("{}: its findings.json states `{stated}`; no test is recorded", run.run_id);
        return judged(progress, because, None);
    }
    let state = match read_state(&run.dir) {
        Ok(state) => state,
        Err(error) => return look_at_summary(run, &error.to_string()),
    };
    if let (true, Some(import)) = (state.tests.is_empty(), state.imports.last()) {
        // The word of another tool is all there is.
        let stated = import.status.as_deref().unwrap_or("nothing");
        let progress = if stated == "completed" { Progress::Completed } else { Progress::Begun };
        let because =
            format!("{}: {}, imported, states `{stated}`; no test is recorded", run.run_id, import.source);
        return judged(progress, because, None);
    }
    let missing = missing(&state);
    let verdict = report::verdict(&state, &digests(&state));
    let verdict = Some((verdict.word.to_string(), verdict.rule));
    if missing.is_empty() {
        let ran =
            state.tests.iter().map(|test| &test.start.name).collect::<std::collections::BTreeSet<_>>().len();
        let because =
            format!("{}: {} ran to the end, and none is missing", run.run_id, count(ran, "test", "tests"));
        judged(Progress::Completed, because, verdict)
    } else {
        judged(Progress::Begun, format!("{}: {}", run.run_id, missing.join(", ")), verdict)
    }
}

/// What a run amounts to whose journals are gone, with an archive that was deleted, say: its summary tells what they said.
fn look_at_summary<'a>(run: &'a StoredRun, why: &str) -> Judged<'a> {
    let judged = |progress, because, verdict| Judged { progress, run: Some(run), because, verdict };
    let path = run.dir.join("results/summary.json");
    let summary: Option<Value> =
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(summary) = summary else {
        return judged(Progress::Begun, format!("{}: {why}", run.run_id), None);
    };
    let n = |object: &str, field: &str| summary[object][field].as_u64().unwrap_or(0);
    let mut missing: Vec<String> = Vec::new();
    if summary["status"] == "blocked" {
        missing.push("its data cannot be".to_owned());
    }
    let ended = n("tests", "passed") + n("tests", "failed");
    if ended == 0 {
        missing.push("no test ran to its end".to_owned());
    }
    for word in ["running", "crashed", "refused", "skipped"] {
        if n("tests", word) > 0 {
            missing.push(format!("{} {word}", count(n("tests", word), "test", "tests")));
        }
    }
    for (field, word) in [("not_run", "did not run"), ("ignored", "ignored")] {
        if n("registered", field) > 0 {
            missing.push(format!(
                "{} {word}",
                count(n("registered", field), "registered test", "registered tests")
            ));
        }
    }
    let text = |field: &str| summary[field].as_str().map(str::to_owned);
    let verdict = text("verdict").zip(text("rule"));
    if missing.is_empty() {
        let because = format!(
            "{}: as its summary says, {} ran to the end, and none is missing",
            run.run_id,
            count(ended, "test", "tests")
        );
        judged(Progress::Completed, because, verdict)
    } else {
        judged(
            Progress::Begun,
            format!("{}: as its summary says, {}", run.run_id, missing.join(", ")),
            verdict,
        )
    }
}

/// What keeps a run from counting as completed.
fn missing(state: &RunState) -> Vec<String> {
    let mut missing = Vec::new();
    let tests = |status| state.tests.iter().filter(|test| test.status == status).count();
    let status = report::status(state);
    if status.as_str() == "blocked" {
        missing.push("its data cannot be".to_owned());
    }
    if tests(TestStatus::Passed) + tests(TestStatus::Failed) == 0 {
        missing.push("no test ran to its end".to_owned());
    }
    for (word, singular, plural) in [
        (TestStatus::Running, "test is running", "tests are running"),
        (TestStatus::Crashed, "test crashed", "tests crashed"),
        (TestStatus::Refused, "test was refused", "tests were refused"),
        (TestStatus::Skipped, "test was skipped", "tests were skipped"),
    ] {
        let n = tests(word);
        if n > 0 {
            missing.push(count(n, singular, plural));
        }
    }
    if let Some(catalogue) = &state.catalogue {
        let of_entry = catalogue.tests.iter().filter(|test| test.entry == state.info.entry.id);
        let (mut not_run, mut ignored) = (0_usize, 0_usize);
        for test in of_entry {
            if catalogue.ended.contains(&test.key()) {
                continue;
            }
            *(if test.ignored.is_some() { &mut ignored } else { &mut not_run }) += 1;
        }
        if not_run > 0 {
            missing.push(count(not_run, "registered test did not run", "registered tests did not run"));
        }
        if ignored > 0 {
            missing.push(count(ignored, "test is ignored", "tests are ignored"));
        }
    }
    missing
}

/// The day on which a run started: as its document says, else as its name says.
fn day_of(run: &StoredRun) -> Option<String> {
    let day = |text: &str| {
        let day = text.get(..10)?;
        (day.len() == 10
            && day
                .bytes()
                .enumerate()
                .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() }))
        .then(|| day.to_owned())
    };
    run.started_at.as_deref().and_then(day).or_else(|| day(run.run_id.strip_prefix("run-")?))
}

/// How many entries are how far, of any selection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: usize,
    /// Completed.
    pub completed: usize,
    /// In progress.
    pub in_progress: usize,
}

impl Tally {
    /// Counts a selection.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a EntryStatus>) -> Self {
        entries.into_iter().fold(Tally::default(), |tally, entry| Tally {
            total: tally.total + 1,
            completed: tally.completed + usize::from(entry.progress == Progress::Completed),
            in_progress: tally.in_progress + usize::from(entry.progress == Progress::Begun),
        })
    }

    /// Neither completed nor in progress.
    pub fn remaining(self) -> usize {
        self.total - self.completed - self.in_progress
    }

    /// The completed share, to one decimal. Only all of them is 100 %.
    pub fn percent(self) -> String {
        if self.total == 0 {
            return "–".to_owned();
        }
        // In tenths of a percent, rounded down, so that nothing is made greater than it is.
        let tenths = self.completed * 1_000 / self.total;
        format!("{}.{}%", tenths / 10, tenths % 10)
    }
}
