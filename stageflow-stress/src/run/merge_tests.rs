use std::collections::HashMap;

use proptest::prelude::*;

use super::super::fold::read_state;
use super::super::replay_tests::{check, ended, finding, opened_by, started};
use super::*;
use crate::journal::Journal;
use crate::journal::record::Record;

/// A machine's run of the entry: `runs/DAG-005/run-…`, with one journal for each list of keys of findings.
fn machine(root: &Path, name: &str, invocation: &str, journals: &[(&str, &[&str])]) -> PathBuf {
    let dir = root.join(name).join("DAG-005/run-2026-01-14-001");
    fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
    fs::create_dir_all(dir.join("results/logs")).unwrap();
    let mut info = crate::report::fixture_run().info;
    info.uuid = format!("uuid-{name}");
    info.invocation = invocation.to_owned();
    fs::write(dir.join(".stageflow/run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
    for (uuid, keys) in journals {
        let path = dir.join(format!(".stageflow/journal/{name}-1-{uuid}.jsonl"));
        let journal = Journal::create(&path).unwrap();
        journal.append(None, opened_by(name, uuid));
        let Record::TestStart(start) = started(0) else { unreachable!() };
        fs::write(dir.join(&start.log), format!("a line of {name}\n")).unwrap();
        journal.append(None, Record::TestStart(start));
        journal.append(Some(0), check("c"));
        for key in *keys {
            journal.append(Some(0), finding(key));
        }
        journal.append(Some(0), ended());
    }
    write_folder(&dir).unwrap();
    root.join(name)
}

/// Everything that a merged run says, without what names its folder.
fn said(runs: &Path) -> (serde_json::Value, Vec<(String, String)>) {
    let dir = run_folders(runs).unwrap().remove(0);
    let read = |path: &str| fs::read(dir.join(path)).unwrap();
    let document = serde_json::from_slice(&read("findings.json")).unwrap();
    let state = read_state(&dir).unwrap();
    let logs = state
        .tests
        .iter()
        .map(|test| (test.start.log.clone(), fs::read_to_string(dir.join(&test.start.log)).unwrap()))
        .collect();
    (document, logs)
}

#[test]
fn shards_become_one_run_with_everything_of_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let a = machine(root, "a", "ci", &[("j1", &["x", "y"]), ("j2", &["x"])]);
    let b = machine(root, "b", "ci", &[("j3", &["z"])]);
    let other = machine(root, "c", "another", &[("j4", &["x"])]);
    let merged = merge([&a, &b, &other], root.join("all"), Together::SameSession).unwrap();
    let shown: Vec<(usize, usize, usize)> =
        merged.iter().map(|run| (run.shards, run.tests, run.findings)).collect();
    assert_eq!(shown, [(1, 1, 1), (2, 3, 3)], "the other invocation is a run of its own");
    assert_ne!(merged[0].dir, merged[1].dir);
    let (document, logs) = said(&root.join("all"));
    assert!(!document["findings"].as_array().unwrap().is_empty());
    let contents: BTreeSet<&str> = logs.iter().map(|(_, text)| text.as_str()).collect();
    assert!(!contents.is_empty());

    // Both machines had a log of the same name, and each test still leads to its own.
    let state = read_state(&merged[1].dir).unwrap();
    let logs: BTreeSet<String> = state
        .tests
        .iter()
        .map(|test| fs::read_to_string(merged[1].dir.join(&test.start.log)).unwrap())
        .collect();
    assert_eq!(logs, BTreeSet::from(["a line of a\n".to_owned(), "a line of b\n".to_owned()]));
    assert_eq!(state.processes.len(), 3);
    assert_eq!(state.info.shards, ["uuid-a", "uuid-b"]);
}

#[test]
fn ids_that_clash_are_given_anew_and_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let a = machine(root, "a", "ci", &[("j1", &["x"])]);
    let b = machine(root, "b", "ci", &[("j2", &["y", "x"])]);
    let merged = merge([&a, &b], root.join("all"), Together::SameSession).unwrap().remove(0);
    let (document, _) = said(&root.join("all"));
    let findings = document["findings"].as_array().unwrap();
    let by_key: HashMap<&str, &serde_json::Value> =
        findings.iter().map(|finding| (finding["x_stageflow"]["key"].as_str().unwrap(), finding)).collect();
    // x was found first, so it keeps its number; y had the same one on the other machine.
    assert_eq!(by_key["x"]["id"], "DAG-005-BUG-001");
    assert_eq!(by_key["x"]["x_stageflow"]["aliases"], serde_json::json!(["DAG-005-BUG-002"]));
    assert_eq!(by_key["x"]["x_stageflow"]["occurrences"], 2);
    assert_eq!(by_key["y"]["id"], "DAG-005-BUG-002");
    assert_eq!(by_key["y"]["x_stageflow"]["aliases"], serde_json::json!(["DAG-005-BUG-001"]));
    assert_eq!(merged.renamed.len(), 2);
}

#[test]
fn a_copy_that_was_torn_or_older_takes_nothing_away() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let a = machine(root, "a", "ci", &[("j1", &["x", "y"])]);
    let copy = machine(root, "copy", "ci", &[]);
    let name = "DAG-005/run-2026-01-14-001/.stageflow/journal/a-1-j1.jsonl";
    let bytes = fs::read(a.join(name)).unwrap();
    fs::write(copy.join(name), &bytes[..bytes.len() / 2]).unwrap();
    for order in [[&a, &copy], [&copy, &a]] {
        let into = root.join(format!("all-{}", order[0].file_name().unwrap().to_string_lossy()));
        let merged = merge(order, &into, Together::SameSession).unwrap().remove(0);
        assert_eq!(fs::read(merged.dir.join(".stageflow/journal/a-1-j1.jsonl")).unwrap(), bytes);
        assert_eq!(read_state(&merged.dir).unwrap().unreadable_lines, 0);
    }
}

#[test]
fn what_is_no_run_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = merge([directory.path()], directory.path().join("all"), Together::Everything).unwrap_err();
    assert!(matches!(error, MergeError::NoRuns(_)), "{error}");
    assert!(merge([directory.path().join("nowhere")], directory.path(), Together::Everything).is_err());
}

/// Which of four machines, each with some journals; a journal can be on several machines, as after a copy.
fn any_machines() -> impl Strategy<Value = Vec<Vec<(usize, Vec<usize>)>>> {
    let journal = (0..6_usize, prop::collection::vec(0..4_usize, 0..4));
    prop::collection::vec(prop::collection::vec(journal, 1..3), 3..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_grouping_and_repetition_make_no_difference(machines in any_machines(), cut in 0..200_usize) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        const KEYS: [&str; 4] = ["w", "x", "y", "z"];
        let mut made: HashMap<usize, Vec<u8>> = HashMap::new();
        let mut sources = Vec::new();
        for (number, journals) in machines.iter().enumerate() {
            let name = format!("m{number}");
            let lists: Vec<(String, Vec<&str>)> = journals
                .iter()
                .map(|(uuid, keys)| (format!("j{uuid}"), keys.iter().map(|key| KEYS[*key]).collect()))
                .collect();
            let mut seen = BTreeSet::new();
            let borrowed: Vec<(&str, &[&str])> = lists
                .iter()
                .filter(|(uuid, _)| seen.insert(uuid.clone()))
                .map(|(uuid, keys)| (uuid.as_str(), keys.as_slice()))
                .collect();
            let runs = machine(root, &name, "ci", &borrowed);
            // The same journal on several machines is the same file, possibly older on one of them.
            let folder = runs.join("DAG-005/run-2026-01-14-001/.stageflow/journal");
            for (uuid, _) in journals {
                let path = folder.join(format!("{name}-1-j{uuid}.jsonl"));
                let Ok(bytes) = fs::read(&path) else { continue };
                let whole = made.entry(*uuid).or_insert(bytes).clone();
                fs::remove_file(&path).unwrap();
                let kept = if number == 1 { whole.len().saturating_sub(cut) } else { whole.len() };
                fs::write(folder.join(format!("host-1-j{uuid}.jsonl")), &whole[..kept]).unwrap();
            }
            write_folder(&runs.join("DAG-005/run-2026-01-14-001")).unwrap();
            sources.push(runs);
        }
        let all = |name: &str, steps: &[&[&PathBuf]]| {
            let into = root.join(name);
            for step in steps {
                merge(step.iter().copied(), &into, Together::SameSession).unwrap();
            }
            said(&into)
        };
        let [a, b, c] = [&sources[0], &sources[1], &sources[2]];
        let once = all("once", &[&[a, b, c]]);
        prop_assert_eq!(&all("reversed", &[&[c, b, a]]), &once, "commutative");
        prop_assert_eq!(&all("steps", &[&[a], &[b], &[c]]), &once, "step by step");
        prop_assert_eq!(&all("again", &[&[a, b, c], &[b], &[a, b, c]]), &once, "idempotent");
        let left = root.join("left");
        merge([a, b], &left, Together::SameSession).unwrap();
        prop_assert_eq!(&all("left-then-right", &[&[&left, c]]), &once, "associative");
        let right = root.join("right");
        merge([b, c], &right, Together::SameSession).unwrap();
        prop_assert_eq!(&all("right-then-left", &[&[&right], &[a]]), &once, "associative");
    }

    #[test]
    fn any_prefix_of_any_interleaving_folds_to_a_valid_document(
        writes in prop::collection::vec((0..3_usize, 0..4_usize), 1..30), cut in 0..400_usize,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let runs = machine(directory.path(), "m", "ci", &[]);
        let dir = runs.join("DAG-005/run-2026-01-14-001");
        let journals: Vec<(PathBuf, Journal)> = (0..3)
            .map(|number| {
                let path = dir.join(format!(".stageflow/journal/h-1-j{number}.jsonl"));
                let journal = Journal::create(&path).unwrap();
                journal.append(None, opened_by("h", "j"));
                journal.append(None, started(0));
                (path, journal)
            })
            .collect();
        fs::write(dir.join("results/logs/x.log"), "").unwrap();
        for (which, key) in &writes {
            journals[*which].1.append(Some(0), finding(["w", "x", "y", "z"][*key]));
        }
        let (path, _) = &journals[writes[0].0];
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
        let state = write_folder(&dir).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("findings.json")).unwrap()).unwrap();
        prop_assert_eq!(crate::schema::Schema::FindingsUpstream.violations(&document), []);
        let ids: BTreeSet<&str> = state.findings.iter().map(|stored| stored.id.as_str()).collect();
        prop_assert_eq!(ids.len(), state.findings.len());
        // What was whole is there: every finding of the journals that were not cut.
        for (which, key) in writes.iter().filter(|(which, _)| *which != writes[0].0) {
            let key = ["w", "x", "y", "z"][*key];
            let found = state.findings.iter().any(|stored| stored.finding.key.as_deref() == Some(key));
            prop_assert!(found, "{key} of journal {which}");
        }
        // And again: nothing changes.
        let before = fs::read(dir.join("findings.json")).unwrap();
        write_folder(&dir).unwrap();
        prop_assert_eq!(fs::read(dir.join("findings.json")).unwrap(), before);
    }
}
