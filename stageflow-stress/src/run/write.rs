//! Writing the files of a run folder from its journals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::claim::check_format;
use super::contents::Contents;
use super::files::{locked, write_atomically};
use super::fold::read_state;
use super::retention::Taken;
use super::state::RunState;
use super::unchanged;
use crate::capture;
use crate::finding::{KnownFindings, Profile, REGISTRY_FILE, Registry, document, ledger};
use crate::log::LogDigest;
use crate::report::{self, OtherFile};
use crate::terminal::say;

/// Why the files of a run folder could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The folder cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The run folder or the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes every file of a run folder anew from its journals, and returns how many tests it has.
///
/// For folders whose process was killed before it could write them. What was recorded is there; a test that started and
/// never ended becomes `crashed`, with a finding. Safe to repeat, and safe beside processes that still write.
///
/// ```no_run
/// let tests = stageflow_stress::run::recover("runs/DAG-005/run-2026-01-14-001")?;
/// println!("{tests} tests recovered");
/// # Ok::<(), stageflow_stress::run::FoldError>(())
/// ```
///
/// # Errors
/// If the folder is not a run folder, or cannot be read or written.
pub fn recover(dir: impl AsRef<Path>) -> Result<usize, FoldError> {
    write_folder(dir.as_ref()).map(|state| state.tests.len())
}

/// Completes the logs of processes that are gone, below this runs directory.
pub fn recover_logs(runs: &Path) -> io::Result<()> {
    let segments = capture::segments_below(&runs.join(".stageflow"));
    if !segments.is_dir() {
        return Ok(());
    }
    locked(&segments.join("lock"), || capture::recover(&segments).map(drop))
}

/// A run's findings in another profile than that of its file, computed from its journals.
///
/// ```no_run
/// use stageflow_stress::finding::Profile;
///
/// let json = stageflow_stress::run::findings_as("runs/DAG-005/run-2026-01-14-001", Profile::Extended)?;
/// # Ok::<(), stageflow_stress::run::FoldError>(())
/// ```
///
/// # Errors
/// If the folder is not a run folder, or cannot be read.
pub fn findings_as(dir: impl AsRef<Path>, profile: Profile) -> Result<Vec<u8>, FoldError> {
    let dir = dir.as_ref();
    locked(&dir.join(".stageflow/lock"), || {
        let mut state = read_state(dir)?;
        let known = known_now(&state);
        give_ids(&mut state, &known)?;
        let summary = report::summary(&state, &digests(&state));
        Ok(document::render_as(profile, &state, report::status(&state).as_str(), &summary))
    })
    .map_err(|source| FoldError::Io { path: dir.to_owned(), source })
}

/// Folds the journals and writes the files, under the locks of the run and of its entry.
pub fn write_folder(dir: &Path) -> Result<RunState, FoldError> {
    locked(&dir.join(".stageflow/lock"), || fold(dir))
        .map_err(|source| FoldError::Io { path: dir.to_owned(), source })
}

/// As [`write_folder`], unless the files were computed from the same journals before: when eight processes end together, one
/// of them computes the files for all.
pub fn write_folder_if_changed(dir: &Path, known: Option<&Path>) -> Result<(), FoldError> {
    locked(&dir.join(".stageflow/lock"), || {
        let inputs = unchanged::inputs(dir, known);
        if unchanged::is_computed_from(dir, &inputs) {
            return Ok(());
        }
        // Noted is what was there before: whatever comes meanwhile is a change.
        let state = fold(dir)?;
        unchanged::note(dir, &inputs, &state)
    })
    .map_err(|source| FoldError::Io { path: dir.to_owned(), source })
}

fn fold(dir: &Path) -> io::Result<RunState> {
    if Taken::of(dir).is_archived() {
        return Err(io::Error::other("it is archived, so its files stay as they are; restore it first"));
    }
    if let Some(runs) = dir.parent().and_then(Path::parent) {
        check_format(runs)?;
    }
    // The runs directory holds the entries' folders, which hold the runs.
    if let Some(Err(error)) = dir.parent().and_then(Path::parent).map(recover_logs) {
        say!("stageflow-stress: logs of processes that are gone are not complete: {error}");
    }
    super::import::take_over(dir)?;
    let mut state = read_state(dir)?;
    let known = known_now(&state);
    give_ids(&mut state, &known)?;
    super::crashed::analyse(&state);
    let logs = digests(&state);
    let summary = report::summary(&state, &logs);
    let mut files = vec![(
        "findings.json".to_owned(),
        document::render(&state, report::status(&state).as_str(), &summary),
    )];
    files.extend(ledger::render(&state));
    let others = others(&state, &files);
    files.extend(report::render(&state, &logs, &others));
    super::import::note_written(dir, &files[0].1)?;
    for (relative, content) in files {
        write_atomically(&dir.join(relative), &content)?;
    }
    #[cfg(feature = "html")]
    if let Err(error) = report::html::write_run(dir) {
        // A page that is missing says less than a run that is missing.
        say!("stageflow-stress: {error}");
    }
    Ok(state)
}

/// The log analyses that exist, of the latest attempt of each test.
pub fn digests(state: &RunState) -> Vec<LogDigest> {
    let Ok(contents) = Contents::open(&state.dir) else { return Vec::new() };
    let slugs: BTreeSet<&str> = state.tests.iter().map(|test| test.start.slug.as_str()).collect();
    slugs
        .into_iter()
        .filter_map(|slug| {
            let bytes = contents.read(&format!("results/logs/{slug}_stats.json")).ok()?;
            LogDigest::from_json(&String::from_utf8(bytes).ok()?).ok()
        })
        .collect()
}

/// What the folder holds besides the rendered reports: the documents of `files`, logs, goldens and what authors saved.
fn others(state: &RunState, files: &[(String, Vec<u8>)]) -> Vec<OtherFile> {
    let mut others: Vec<OtherFile> = files
        .iter()
        .map(|(path, content)| {
            let document: serde_json::Value = serde_json::from_slice(content).unwrap_or_default();
            let list = document["findings"].as_array().or_else(|| document["entries"].as_array());
            let noun = if path == "findings.json" { "findings" } else { "entries" };
            OtherFile { path: path.clone(), holds: format!("{} {noun}", list.map_or(0, Vec::len)) }
        })
        .collect();
    if cfg!(feature = "html") {
        others
            .push(OtherFile { path: "report.html".to_owned(), holds: "the report for a browser".to_owned() });
    }
    for (folder, holds) in [
        ("results/logs", "logs with their analyses"),
        ("results/traces", "traces in the JSON of OTLP"),
        ("results/golden", "goldens that did not simply match"),
        ("results/faults", "fault plans, and what became of each fault"),
        ("results/probes", "what probes did and saw, and plans that fail"),
        ("mocks", "data and services that the tests made"),
        ("pipelines", "pipelines that the tests saved"),
        ("tests", "sources that the tests saved"),
    ] {
        let count = count_files(&state.dir.join(folder));
        if count > 0 {
            others.push(OtherFile { path: format!("{folder}/"), holds: format!("{count} files: {holds}") });
        }
    }
    others
}

fn count_files(directory: &Path) -> usize {
    let Ok(items) = fs::read_dir(directory) else { return 0 };
    items
        .flatten()
        .map(|item| match item.file_type() {
            Ok(kind) if kind.is_dir() => count_files(&item.path()),
            Ok(kind) if kind.is_file() => usize::from(!item.file_name().to_string_lossy().starts_with('.')),
            _ => 0,
        })
        .sum()
}

/// The committed file as it is now. Journals say how it was when a finding was recorded; a report that is made later
/// tells what holds then. A file that cannot be read leaves what the journals say.
fn known_now(state: &RunState) -> KnownFindings {
    let Some(path) = &state.info.known else { return KnownFindings::default() };
    KnownFindings::load(path).unwrap_or_else(|error| {
        say!("stageflow-stress: {error}; the report shows what held when its findings were recorded");
        KnownFindings::default()
    })
}

/// Gives every finding its id. Ids belong to the entry, not to the run, so this holds the entry's lock.
fn give_ids(state: &mut RunState, known: &KnownFindings) -> io::Result<()> {
    for stored in &mut state.findings {
        if let Some(now) = known.lookup(&stored.fingerprint) {
            stored.known = Some(now);
        }
    }
    count_duplicates(state, known);
    let entry_dir =
        state.dir.parent().ok_or_else(|| io::Error::other("a run folder lies in its entry's folder"))?;
    let path = entry_dir.join(REGISTRY_FILE);
    locked(&entry_dir.join(".lock"), || {
        let loaded = Registry::load(&path).map_err(io::Error::other)?;
        if let Some(message) = loaded.message {
            say!("stageflow-stress: {message}");
        }
        let mut registry = loaded.registry;
        registry.reserve_known(known);
        registry.assign_all(&mut state.findings, &state.info.run_id);
        state.findings.sort_by(|left, right| {
            right.finding.severity.cmp(&left.finding.severity).then_with(|| left.id.cmp(&right.id))
        });
        let text = registry.to_json();
        write_atomically(&path, text.as_ref())
    })
}

/// A sighting of a duplicate is one of the finding that stays.
fn count_duplicates(state: &mut RunState, known: &KnownFindings) {
    let mut of_target: BTreeMap<String, u64> = BTreeMap::new();
    for stored in &state.findings {
        if let Some(target) = known.duplicates(&stored.fingerprint) {
            *of_target.entry(target.to_owned()).or_default() += stored.occurrences;
        }
    }
    for stored in &mut state.findings {
        stored.duplicate_occurrences = of_target.get(&stored.fingerprint).copied().unwrap_or(0);
    }
}
