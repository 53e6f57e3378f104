//! What the folders of a directory of runs say of themselves, one small file each.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::super::section::findings::by_severity;
use super::super::value::seconds;
use crate::finding::Document;
use crate::roadmap::{self, Entry};

/// All runs of a directory.
#[derive(Debug)]
pub struct All {
    /// The entries: those of the roadmap in its order, then any others by id.
    pub entries: Vec<EntryRuns>,
    /// Folders that could not be read, and why.
    pub unreadable: Vec<String>,
    /// Things in archives, which are not read.
    pub archived: usize,
}

/// An entry with its runs, newest first.
#[derive(Debug)]
pub struct EntryRuns {
    /// Its id.
    pub id: String,
    /// Its title; of the roadmap, or as a run states it.
    pub title: String,
    /// The row of the roadmap, if it has one.
    pub entry: Option<&'static Entry>,
    /// The row of the project's own roadmap, as its latest run states it.
    pub own: Option<OwnRow>,
    /// Its runs.
    pub runs: Vec<Run>,
}

/// A row of a roadmap that only the runs know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnRow {
    /// Its tier with its heading.
    pub tier: String,
    /// Its section with its heading.
    pub section: String,
    /// Its priority.
    pub priority: String,
    /// Its risk class.
    pub risk: String,
}

/// What the index says of a run.
#[derive(Debug, Default)]
pub struct Run {
    /// Name of its folder.
    pub id: String,
    /// The page or file to link to, relative to the index; none where there is nothing to show.
    pub link: Option<String>,
    /// When it started, as written.
    pub started_at: String,
    /// The invocation it belongs to.
    pub invocation: String,
    /// What it says of itself.
    pub state: State,
    /// The rule that gave the verdict.
    pub rule: String,
    /// Tests, and those of them that failed, crashed or were refused.
    pub tests: u64,
    /// Tests that did not pass.
    pub bad: u64,
    /// Findings by severity, from info to critical.
    pub findings: [u64; 5],
    /// Sum of all counts that tell of something missing; absent where the run does not count.
    pub missing: Option<u64>,
    /// The timed series that the summary names: name, p50 and p95 in nanoseconds.
    pub latency: Vec<(String, Option<u64>, Option<u64>)>,
    /// The row of the roadmap, as the run states it.
    row: OwnRow,
}

/// The state of a run, or of an entry by its latest run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum State {
    /// Its data cannot be.
    Blocked,
    /// FAIL.
    Fail,
    /// NEEDS_WORK.
    NeedsWork,
    /// PASS_WITH_CONCERNS.
    Concerns,
    /// PASS.
    Pass,
    /// Not ended.
    InProgress,
    /// It does not say.
    #[default]
    NoVerdict,
    /// There is no run.
    NeverRun,
}

impl State {
    /// Every state, worst first.
    pub const ALL: [State; 8] = [
        State::Blocked,
        State::Fail,
        State::NeedsWork,
        State::Concerns,
        State::Pass,
        State::InProgress,
        State::NoVerdict,
        State::NeverRun,
    ];

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Blocked => "blocked",
            State::Fail => "fail",
            State::NeedsWork => "needs work",
            State::Concerns => "concerns",
            State::Pass => "pass",
            State::InProgress => "in progress",
            State::NoVerdict => "no verdict",
            State::NeverRun => "never run",
        }
    }

    /// A sign, for those who do not tell colours apart.
    pub fn sign(self) -> &'static str {
        match self {
            State::Blocked => "■",
            State::Fail => "✗",
            State::NeedsWork => "▲",
            State::Concerns => "!",
            State::Pass => "✓",
            State::InProgress => "…",
            State::NoVerdict => "?",
            State::NeverRun => "·",
        }
    }

    /// Its class.
    pub fn class(self) -> String {
        format!("e-{}", self.as_str().replace(' ', "-"))
    }
}

impl EntryRuns {
    /// Its priority, where a roadmap gives one.
    pub fn priority(&self) -> Option<String> {
        let own = || self.own.as_ref().map(|row| row.priority.clone());
        self.entry.map(|row| row.priority.to_string()).or_else(own)
    }

    /// Its risk class, where a roadmap gives one.
    pub fn risk(&self) -> Option<String> {
        let own = || self.own.as_ref().map(|row| row.risk.clone());
        self.entry.map(|row| row.risk.to_string()).or_else(own)
    }

    /// The state of the latest run.
    pub fn state(&self) -> State {
        self.runs.first().map_or(State::NeverRun, |run| run.state)
    }
}

/// The part of `results/summary.json` that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Summary {
    entry: SummaryEntry,
    started_at: String,
    invocation: String,
    status: String,
    verdict: String,
    rule: String,
    tests: BTreeMap<String, u64>,
    findings: SummaryFindings,
    missing: Vec<Missing>,
    latency: Vec<Latency>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SummaryEntry {
    title: String,
    tier: String,
    section: String,
    priority: String,
    risk: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SummaryFindings {
    by_severity: BTreeMap<String, u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Missing {
    count: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Latency {
    series: String,
    p50: Option<u64>,
    p95: Option<u64>,
}

/// Reads every run below `runs`.
pub fn collect(runs: &Path) -> io::Result<All> {
    let mut all = All { entries: Vec::new(), unreadable: Vec::new(), archived: 0 };
    let mut found: BTreeMap<String, (String, Vec<Run>)> = BTreeMap::new();
    for entry in sorted(runs)? {
        let dir = runs.join(&entry);
        if entry.starts_with('.') || !dir.is_dir() {
            continue;
        }
        let names = match sorted(&dir) {
            Ok(names) => names,
            Err(error) => {
                all.unreadable.push(format!("{entry}: {error}"));
                continue;
            }
        };
        // An archive beside its run holds what is not shown here; one without its run is all that there is of it.
        let archives = sorted(&dir.join("archive")).unwrap_or_default();
        let is_alone = |archive: &String| {
            !names
                .iter()
                .any(|name| archive.strip_prefix(name.as_str()).is_some_and(|end| end.starts_with('.')))
        };
        all.archived += archives.iter().filter(|archive| is_alone(archive)).count();
        for name in names.into_iter().filter(|name| name.starts_with("run-")) {
            let path = dir.join(&name);
            if !path.is_dir() {
                continue;
            }
            match read(&path, &entry, &name) {
                Ok((title, run)) => {
                    let of_entry = found.entry(entry.clone()).or_default();
                    if of_entry.0.is_empty() {
                        of_entry.0 = title;
                    }
                    of_entry.1.push(run);
                }
                Err(why) => {
                    all.unreadable.push(format!("{entry}/{name}: {why}"));
                    // It is there, and it says nothing: it must not look as if it had never run.
                    found.entry(entry.clone()).or_default().1.push(Run { id: name, ..Run::default() });
                }
            }
        }
    }
    for (_, runs) in found.values_mut() {
        let key = |run: &Run| (seconds(&run.started_at).unwrap_or(0.0), sequence(&run.id));
        runs.sort_by(|a, b| key(b).0.total_cmp(&key(a).0).then_with(|| key(b).1.cmp(&key(a).1)));
    }
    let own = |runs: &[Run]| runs.iter().map(|run| &run.row).find(|row| !row.tier.is_empty()).cloned();
    for entry in roadmap::entries() {
        let (_, runs) = found.remove(entry.id).unwrap_or_default();
        all.entries.push(EntryRuns {
            id: entry.id.to_owned(),
            title: entry.title.to_owned(),
            entry: Some(entry),
            own: None,
            runs,
        });
    }
    all.entries.extend(found.into_iter().map(|(id, (title, runs))| EntryRuns {
        id,
        title,
        entry: None,
        own: own(&runs),
        runs,
    }));
    Ok(all)
}

/// Date and number of a run's name, so that run 1000 comes after run 999.
fn sequence(id: &str) -> (String, u64) {
    let (date, number) = id.rsplit_once('-').unwrap_or((id, ""));
    (date.to_owned(), number.parse().unwrap_or(0))
}

fn sorted(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(dir)?
        .map(|item| item.map(|item| item.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn read(dir: &Path, entry: &str, name: &str) -> Result<(String, Run), String> {
    let link = [super::super::RUN_PAGE, "FINAL_REPORT.md", "README.md", "findings.json"]
        .into_iter()
        .find(|file| dir.join(file).is_file())
        .map(|file| format!("{entry}/{name}/{file}"));
    let mut run = Run { id: name.to_owned(), link, ..Run::default() };
    match fs::read(dir.join("results/summary.json")) {
        Ok(bytes) => {
            let summary: Summary =
                serde_json::from_slice(&bytes).map_err(|error| format!("results/summary.json: {error}"))?;
            let title = summary.entry.title.clone();
            fill(&mut run, summary);
            Ok((title, run))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let title = of_findings(dir, &mut run)?;
            Ok((title, run))
        }
        Err(error) => Err(format!("results/summary.json: {error}")),
    }
}

fn fill(run: &mut Run, summary: Summary) {
    let of = |word: &str| summary.tests.get(word).copied().unwrap_or_default();
    run.tests = summary.tests.values().sum();
    run.bad = of("failed") + of("crashed") + of("refused");
    for (n, severity) in ["info", "low", "medium", "high", "critical"].into_iter().enumerate() {
        run.findings[n] = summary.findings.by_severity.get(severity).copied().unwrap_or_default();
    }
    run.missing = Some(summary.missing.iter().map(|one| one.count).sum());
    run.state = match (summary.status.as_str(), summary.verdict.as_str()) {
        ("blocked", _) => State::Blocked,
        ("in_progress", _) => State::InProgress,
        (_, "FAIL") => State::Fail,
        (_, "NEEDS_WORK") => State::NeedsWork,
        (_, "PASS_WITH_CONCERNS") => State::Concerns,
        (_, "PASS") => State::Pass,
        _ => State::NoVerdict,
    };
    run.started_at = summary.started_at;
    run.invocation = summary.invocation;
    run.rule = summary.rule;
    run.latency = summary.latency.into_iter().map(|one| (one.series, one.p50, one.p95)).collect();
    let SummaryEntry { tier, section, priority, risk, .. } = summary.entry;
    run.row = OwnRow { tier, section, priority, risk };
}

/// A folder without a summary: what findings.json says. It states no verdict, and none is guessed.
fn of_findings(dir: &Path, run: &mut Run) -> Result<String, String> {
    let bytes = fs::read(dir.join("findings.json")).map_err(|error| format!("findings.json: {error}"))?;
    let document = Document::parse(&bytes).map_err(|error| format!("findings.json: {error}"))?;
    run.findings = by_severity(&document);
    let metadata = &document.metadata;
    run.started_at = metadata.started_at.clone().unwrap_or_default();
    if metadata.status.as_deref() == Some("in_progress") {
        run.state = State::InProgress;
    } else if metadata.status.as_deref() == Some("blocked") {
        run.state = State::Blocked;
    }
    let tests: Option<BTreeMap<String, Value>> =
        metadata.field("x_stageflow").and_then(|field| serde_json::from_value(field["tests"].clone()).ok());
    for (word, n) in tests.into_iter().flatten() {
        let n = n.as_u64().unwrap_or_default();
        run.tests += n;
        run.bad += if matches!(word.as_str(), "failed" | "crashed" | "refused") { n } else { 0 };
    }
    Ok(metadata.roadmap_entry_title.clone().unwrap_or_default())
}
