//! Whether the files of a run folder are what they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::contents::Contents;
use super::files::shown_below;
use super::retention::Taken;
use crate::finding::{
    AnyId, Doubt, DoubtKind, EntryId, FindingStatus, KnownFindings, LedgerFile, ResolutionType, time,
};
use crate::journal::record::Ledger;
use crate::schema::{Schema, Violation};

/// What is wrong with a run folder, or with a single document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Validation {
    /// Files that were looked at.
    pub files: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is doubtful: legal under every schema, and yet hardly meant. A strict check counts it as wrong.
    pub doubts: Vec<(PathBuf, Doubt)>,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What.
    pub what: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

/// What can be wrong with a file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Every run folder has it.
    #[error("is not there; every run folder has it")]
    Missing,
    /// A strict reader refuses it.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// It violates its schema.
    #[error("{schema}: {violation}", schema = schema.name())]
    Schema {
        /// The schema.
        schema: Schema,
        /// What it violates.
        violation: Violation,
    },
    /// Lines of a journal that were torn or damaged.
    #[error("{0} unreadable lines; what they recorded is lost")]
    Journal(u64),
}

impl Validation {
    fn new() -> Self {
        Validation { files: 0, problems: Vec::new(), doubts: Vec::new() }
    }

    /// Whether it passes. A strict check admits no doubts either.
    #[must_use]
    pub fn passes(&self, strict: bool) -> bool {
        self.problems.is_empty() && (!strict || self.doubts.is_empty())
    }
}

/// Every run folder has these.
const REQUIRED: [&str; 6] = [
    "README.md",
    "findings.json",
    "FINAL_REPORT.md",
    "config/run_config.json",
    "config/environment.json",
    "dx_evaluation/scores.json",
];

/// Checks a run folder: that its files are there, are JSON for a strict reader and valid under their schemas, that times
/// are times, and that its journals are whole; and collects what is doubtful.
///
/// ```no_run
/// let validation = stageflow_stress::run::validate("runs/DAG-005/run-2026-01-14-001", None);
/// for problem in &validation.problems {
///     println!("{problem}");
/// }
/// std::process::exit(i32::from(!validation.passes(true)));
/// ```
#[must_use]
pub fn validate(dir: impl AsRef<Path>, known: Option<&KnownFindings>) -> Validation {
    let dir = dir.as_ref();
    let mut validation = Validation::new();
    for required in REQUIRED {
        if !dir.join(required).is_file() {
            validation.problems.push(Problem { path: dir.join(required), what: ProblemKind::Missing });
        }
    }
    let mut files = Vec::new();
    json_files(dir, dir, &mut files);
    for path in files {
        let relative = shown_below(dir, &path);
        if Schema::of_file(&relative).is_some() {
            file(&path, fs::read(&path), &relative, dir, known, &mut validation);
        }
    }
    let contents = match Contents::open(dir) {
        Ok(contents) => contents,
        Err(error) => {
            let what = ProblemKind::Unreadable(error.to_string());
            validation.problems.push(Problem { path: dir.to_owned(), what });
            return validation;
        }
    };
    for (relative, content) in contents.archived() {
        if Schema::of_file(relative).is_some_and(|schema| !schema.is_of_lines()) {
            file(&dir.join(relative), Ok(content.to_owned()), relative, dir, known, &mut validation);
        }
    }
    // A folder that was filled by hand has no journals.
    for name in contents.journals().unwrap_or_default() {
        validation.files += 1;
        let relative = format!(".stageflow/journal/{name}");
        let what = match contents.read(&relative).map(|bytes| crate::journal::parse(&bytes)) {
            Ok(read) if read.unreadable + read.missing > 0 => {
                ProblemKind::Journal(read.unreadable + read.missing)
            }
            Ok(_) => continue,
            Err(error) => ProblemKind::Unreadable(error.to_string()),
        };
        validation.problems.push(Problem { path: dir.join(relative), what });
    }
    validation
}

/// Checks one document by its name, such as `findings.json` or `bugs.json`, wherever it lies. A findings document that says
/// that it has the extended profile is checked under that.
#[must_use]
pub fn validate_file(path: impl AsRef<Path>, known: Option<&KnownFindings>) -> Validation {
    let path = path.as_ref();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut validation = Validation::new();
    let dir = path.parent().unwrap_or(Path::new("."));
    file(path, fs::read(path), &name, dir, known, &mut validation);
    validation
}

fn file(
    path: &Path,
    read: io::Result<Vec<u8>>,
    relative: &str,
    dir: &Path,
    known: Option<&KnownFindings>,
    validation: &mut Validation,
) {
    validation.files += 1;
    let mut problem = |what| validation.problems.push(Problem { path: path.to_owned(), what });
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return problem(ProblemKind::Unreadable(error.to_string())),
    };
    let mut doubts = Vec::new();
    if let Some(ledger) = Ledger::ALL.iter().find(|ledger| ledger.file() == relative)
        && let Ok(ledger) = LedgerFile::parse(*ledger, &bytes)
    {
        doubts.extend(ledger.lint());
    }
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(document) => {
            let extended = document.pointer("/metadata/x_stageflow/profile").is_some_and(|p| p == "extended");
            let schema = match Schema::of_file(relative) {
                Some(Schema::FindingsUpstream) if extended => Some(Schema::FindingsExtended),
                // A document under another name is one of findings, if it looks like one.
                None if document.get("findings").is_some() => Some(Schema::FindingsUpstream),
                schema => schema,
            };
            for violation in schema.iter().flat_map(|schema| schema.violations(&document)) {
                let Some(schema) = schema else { continue };
                problem(ProblemKind::Schema { schema, violation });
            }
            match schema {
                Some(Schema::FindingsUpstream | Schema::FindingsExtended) => {
                    findings(&document, dir, known, &mut doubts);
                }
                Some(Schema::AggregatedFindings) => total(&document, "total_findings", &mut doubts),
                Some(Schema::Scores) => mean(&document, &mut doubts),
                _ => {}
            }
        }
        Err(error) => problem(ProblemKind::Json(error.to_string())),
    }
    validation.doubts.extend(doubts.into_iter().map(|doubt| (path.to_owned(), doubt)));
}

/// What the schema of findings does not look at.
fn findings(document: &Value, dir: &Path, known: Option<&KnownFindings>, doubts: &mut Vec<Doubt>) {
    let taken = Taken::of(dir);
    if let Some(metadata) = document.get("metadata") {
        let claimed = metadata.get("total_findings").and_then(Value::as_u64);
        let found = document["findings"].as_array().map_or(0, Vec::len) as u64;
        if let Some(claimed) = claimed.filter(|claimed| *claimed != found) {
            let what = DoubtKind::WrongTotal { field: "total_findings".to_owned(), claimed, found };
            doubts.push(Doubt { place: "metadata".to_owned(), what });
        }
    }
    let list = document["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: BTreeSet<&str> = list.iter().filter_map(|finding| finding["id"].as_str()).collect();
    let mut seen = BTreeSet::new();
    for (position, finding) in list.iter().enumerate() {
        let text = |name: &str| finding.get(name).and_then(Value::as_str);
        let place = text("id").map_or_else(|| format!("finding {position}"), str::to_owned);
        let mut doubt = |what| doubts.push(Doubt { place: place.clone(), what });
        if let Some(id) = text("id")
            && !seen.insert(id)
        {
            doubt(DoubtKind::RepeatedId);
        }
        for id in finding["related_findings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let listed = known.is_some_and(|known| known.find(id).is_some());
            if !ids.contains(id) && !listed && !elsewhere(dir, id) {
                doubt(DoubtKind::Dangling { field: "related_findings".to_owned(), id: id.to_owned() });
            }
        }
        for path in finding["attachments"].as_array().into_iter().flatten().filter_map(|a| a["path"].as_str())
        {
            // What was archived is there, and what was deleted is noted.
            let taken = taken.archived.contains_key(path) || taken.deleted.contains_key(path);
            if !taken && !dir.join(path).exists() {
                doubt(DoubtKind::MissingAttachment(path.to_owned()));
            }
        }
        status(finding, &mut doubt);
    }
}

/// A status without what it needs, in the words of the schema.
fn status(finding: &Value, doubt: &mut impl FnMut(DoubtKind)) {
    let text = |name: &str| finding.get(name).and_then(Value::as_str);
    let Some(status) = text("status").and_then(|status| status.parse::<FindingStatus>().ok()) else { return };
    let kind = finding["resolution"]["resolution_type"].as_str();
    let mut say = |what: &str| doubt(DoubtKind::Status(what.to_owned()));
    match (status, kind) {
        (FindingStatus::Resolved | FindingStatus::WontFix | FindingStatus::Duplicate, None) => {
            say(&format!("is {status} without a resolution"));
        }
        (status, Some(kind)) => match kind.parse::<ResolutionType>() {
            Ok(kind) if kind.status() == status => {}
            Ok(kind) => say(&format!("is {status} with a resolution of type {kind}")),
            Err(_) => {}
        },
        _ => {}
    }
    if status == FindingStatus::Duplicate && finding["related_findings"].as_array().is_none_or(Vec::is_empty)
    {
        say("is a duplicate of nothing; the finding that stays is the first of `related_findings`");
    }
    let at = |name: &str| text(name).and_then(time::nanos);
    match (at("created_at"), at("resolved_at")) {
        (Some(created), Some(resolved)) if resolved < created => say("was resolved before it was created"),
        (_, None) if status == FindingStatus::Resolved => say("is resolved without `resolved_at`"),
        _ => {}
    }
}

/// Whether a finding of another entry's run has the id: the folder of that entry tells, if it is there.
fn elsewhere(dir: &Path, id: &str) -> bool {
    let Some(AnyId::Finding(id)) = AnyId::meanings(id).pop() else { return false };
    let entry: &EntryId = &id.entry;
    let Some(runs) = dir.parent().and_then(Path::parent) else { return false };
    let registry = runs.join(entry.as_str()).join(crate::finding::REGISTRY_FILE);
    let Ok(text) = fs::read_to_string(registry) else { return false };
    serde_json::from_str::<Value>(&text).is_ok_and(|registry| {
        registry["findings"].as_object().is_some_and(|findings| {
            findings.values().any(|known| known["id"].as_str() == Some(id.to_string().as_str()))
        })
    })
}

fn total(document: &Value, field: &str, doubts: &mut Vec<Doubt>) {
    let found = document["findings"].as_array().map_or(0, Vec::len) as u64;
    let mut wrong = |field: &str, claimed: u64| {
        let what = DoubtKind::WrongTotal { field: field.to_owned(), claimed, found };
        doubts.push(Doubt { place: "the document".to_owned(), what });
    };
    if let Some(claimed) = document[field].as_u64().filter(|claimed| *claimed != found) {
        wrong(field, claimed);
    }
    for counts in ["by_type", "by_severity", "by_status", "by_component"] {
        let parts: BTreeMap<&String, u64> = document[counts]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, count)| Some((name, count.as_u64()?)))
            .collect();
        let sum: u64 = parts.values().sum();
        if sum != found {
            wrong(counts, sum);
        }
    }
}

/// The overall score is the mean of the scores that are there, to one decimal.
fn mean(document: &Value, doubts: &mut Vec<Doubt>) {
    let scores: Vec<f64> = document["categories"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, category)| category["score"].as_f64())
        .collect();
    let Some(claimed) = document["overall_score"].as_f64() else { return };
    let found = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    if scores.is_empty() || (claimed - found).abs() > 0.05 + 1e-9 {
        let what = DoubtKind::WrongMean { claimed: claimed.to_string(), found: format!("{found:.3}") };
        doubts.push(Doubt { place: "the document".to_owned(), what });
    }
}

fn json_files(root: &Path, directory: &Path, files: &mut Vec<PathBuf>) {
    let mut items: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|item| item.path()).collect();
    items.sort();
    for path in items {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // What the machinery keeps for itself is checked too; journals have a reader of their own.
        let own = path == root.join(".stageflow");
        if path.is_dir() && (!hidden || own) && !path.ends_with(".stageflow/journal") {
            json_files(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
