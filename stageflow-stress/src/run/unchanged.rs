//! Whether a run's files would come out as they are: then nobody has to compute them again.
//!
//! When the processes of a run end together, each would compute the same files from the same journals. The first one notes
//! from what it computed them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::files::{shown_below, write_whole};
use super::state::RunState;
use crate::journal::record::TestStatus;

const NOTE: &str = ".stageflow/folded";

/// What is computed and so is no reason to compute it again.
const COMPUTED: [&str; 6] = [
    "results/metrics/",
    "results/summary.json",
    "results/tests.json",
    ".stageflow/lock",
    ".stageflow/folded",
    ".stageflow/findings.crc",
];

/// Everything from which a folder's files are computed, in short: names, lengths and times of its journals and other files,
/// of the committed file of known findings, and of what the invocations registered and ran.
pub fn inputs(dir: &Path, known: Option<&Path>) -> String {
    let mut listed = vec![env!("CARGO_PKG_VERSION").to_owned()];
    for folder in [".stageflow", "results", "mocks", "pipelines", "tests"] {
        list(dir, &dir.join(folder), &mut listed);
    }
    if let Some(runs) = dir.parent().and_then(Path::parent) {
        let catalogues = runs.join(".stageflow/catalog");
        list(&catalogues, &catalogues, &mut listed);
    }
    if let Some(known) = known {
        listed.push(format!("known {}", describe(known)));
    }
    listed.sort();
    let digest = hmac_sha256::Hash::hash(listed.join("\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the folder's files were computed from this, and are there.
pub fn is_computed_from(dir: &Path, inputs: &str) -> bool {
    fs::read_to_string(dir.join(NOTE)).is_ok_and(|noted| noted.trim() == inputs)
        && ["README.md", "findings.json", "FINAL_REPORT.md"].iter().all(|file| dir.join(file).is_file())
}

/// Notes from what the folder's files were computed. While a test runs, nothing is noted: whether its process is still
/// alive is no file.
pub fn note(dir: &Path, inputs: &str, state: &RunState) -> io::Result<()> {
    if state.tests.iter().any(|test| test.status == TestStatus::Running) {
        return Ok(());
    }
    write_whole(&dir.join(NOTE), inputs.as_bytes())
}

fn list(root: &Path, directory: &Path, listed: &mut Vec<String>) {
    for item in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = item.path();
        let shown = shown_below(root, &path);
        if item.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(root, &path, listed);
            continue;
        }
        let computed = COMPUTED.iter().any(|computed| shown.starts_with(computed));
        if !computed && !shown.contains(".tmp-") {
            listed.push(format!("{shown} {}", describe(&path)));
        }
    }
}

fn describe(path: &Path) -> String {
    let Ok(metadata) = fs::metadata(path) else { return "gone".to_owned() };
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("{} {}", metadata.len(), modified.map_or(0, |time| time.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::super::replay_tests::{check, ended, finding, opened_by, started};
    use super::super::write::write_folder_if_changed;
    use super::*;
    use crate::journal::Journal;

    #[test]
    fn files_are_computed_again_exactly_if_something_they_depend_on_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path().join("DAG-005/run-2026-01-14-001");
        fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
        let info = crate::report::fixture_run().info;
        fs::write(dir.join(".stageflow/run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
        let journal = Journal::create(&dir.join(".stageflow/journal/h-1-j.jsonl")).unwrap();
        journal.append(None, opened_by("h", "j"));
        journal.append(None, started(0));
        journal.append(Some(0), check("c"));
        journal.append(Some(0), ended());
        let known = directory.path().join("stageflow-known.toml");
        // A mark in a computed file is gone once the file was computed again.
        let readme = dir.join("README.md");
        let computed = || {
            fs::write(&readme, "mark").unwrap();
            write_folder_if_changed(&dir, Some(&known)).unwrap();
            fs::read_to_string(&readme).unwrap() != "mark"
        };
        assert!(computed(), "for the first time");
        assert!(!computed(), "nothing has changed");
        journal.append(Some(0), finding("late"));
        assert!(computed(), "a journal has grown");
        assert!(!computed());
        fs::write(&known, "").unwrap();
        assert!(computed(), "the committed file has changed");
        assert!(!computed());
        let catalogue = directory.path().join(".stageflow/catalog/x");
        fs::create_dir_all(&catalogue).unwrap();
        fs::write(catalogue.join("a.seen"), "{}\n").unwrap();
        assert!(computed(), "another test of the invocation has ended");
        assert!(!computed());
        fs::create_dir_all(dir.join("results/logs")).unwrap();
        fs::write(dir.join("results/logs/x_stats.json"), "{}").unwrap();
        assert!(computed(), "a log was analysed");
        assert!(!computed());
        fs::remove_file(dir.join("findings.json")).unwrap();
        assert!(computed() && dir.join("findings.json").exists(), "a file is gone");
    }
}
