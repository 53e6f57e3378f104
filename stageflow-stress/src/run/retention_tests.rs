use super::super::replay_tests::{check, ended, finding, opened_by, started};
use super::super::write::write_folder;
use super::*;
use crate::journal::Journal;
use crate::journal::record::Record;

/// A run of some months ago with logs, traces and data.
fn old_run(root: &Path, name: &str) -> PathBuf {
    let dir = root.join("DAG-005").join(name);
    fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
    let info = crate::report::fixture_run().info;
    fs::write(dir.join(".stageflow/run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
    let journal = Journal::create(&dir.join(".stageflow/journal/h-1-j.jsonl")).unwrap();
    journal.append(None, opened_by("h", "j"));
    let Record::TestStart(start) = started(0) else { unreachable!() };
    for (path, content) in [
        (start.log.as_str(), vec![b'l'; 5000]),
        ("results/logs/it__t0_analysis.md", b"# Log\n".to_vec()),
        ("results/traces/trace_1_x.json", br#"{"resourceSpans":[]}"#.to_vec()),
        ("results/golden/a.diff", b"-1\n+2\n".to_vec()),
        ("mocks/data/scale/big.bin", vec![7; 2 << 20]),
        ("tests/it.rs", b"fn main() {}".to_vec()),
    ] {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), content).unwrap();
    }
    journal.append(None, Record::TestStart(start));
    journal.append(Some(0), check("c"));
    journal.append(Some(0), finding("x"));
    journal.append(Some(0), ended());
    write_folder(&dir).unwrap();
    // The clock of this test is ours; the document says when the run ended.
    let path = dir.join("findings.json");
    let mut document: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    document["metadata"]["completed_at"] = "2026-01-14T10:00:00Z".into();
    fs::write(path, document.to_string()).unwrap();
    dir
}

fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    files(dir, dir, &mut all).unwrap();
    all.into_keys().map(|path| (path.clone(), fs::read(dir.join(path)).unwrap())).collect()
}

#[test]
fn only_old_runs_that_are_not_archived_are_due() {
    let directory = tempfile::tempdir().unwrap();
    let dir = old_run(directory.path(), "run-2026-01-14-001");
    // No document: the name tells.
    fs::create_dir_all(directory.path().join("DAG-005/run-2020-01-01-001")).unwrap();
    fs::create_dir_all(directory.path().join("DAG-005/run-2999-01-01-001")).unwrap();
    fs::create_dir_all(directory.path().join("DAG-005/archive")).unwrap();
    let due_now = due(directory.path(), Duration::from_secs(86_400)).unwrap();
    let names: Vec<_> = due_now.iter().map(|dir| dir.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["run-2020-01-01-001", "run-2026-01-14-001"]);
    assert_eq!(due(directory.path(), Duration::from_secs(86_400 * 36_500)).unwrap(), [] as [PathBuf; 0]);
    assert!(matches!(prune(&due_now[0], &PrunePolicy::default()), Err(RetentionError::NoFindings(_))));
    assert!(dir.exists());
}

#[cfg(feature = "cli")]
#[test]
fn an_archived_run_is_still_read_and_comes_back_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let dir = old_run(directory.path(), "run-2026-01-14-001");
    let before = tree(&dir);
    let query = || crate::FindingStore::open(directory.path()).unwrap();
    let findings_before = format!("{:?}", query().findings());
    let state_before = super::super::fold::read_state(&dir).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let merge = |name: &str| {
        let into = elsewhere.path().join(name);
        let merged = crate::run::merge([&dir], &into, crate::run::Together::SameSession).unwrap();
        (tree(&merged[0].dir), merged[0].tests, merged[0].findings)
    };
    let merged_before = merge("before");
    let archived = archive(&dir).unwrap();
    assert_eq!(archived.archive, directory.path().join("DAG-005/archive/run-2026-01-14-001.tar.gz"));
    assert!(archived.packed * 10 < archived.bytes, "{archived:?}");

    // What is kept for ever is where it was, and every reader finds it.
    for (path, content) in before.iter().filter(|(path, _)| is_kept(path)) {
        assert_eq!(&fs::read(dir.join(path)).unwrap(), content, "{path}");
    }
    assert!(!dir.join("results/logs").exists() && !dir.join(".stageflow/journal").exists());
    assert!(query().problems().is_empty());
    assert_eq!(format!("{:?}", query().findings()), findings_before);
    let all = crate::run::aggregate(directory.path(), &crate::run::AggregateOptions::default()).unwrap();
    assert_eq!((all.total_runs, all.total_findings), (1, 1));
    // What its tests did is read from the archive, by whoever asks for it.
    assert_eq!(super::super::fold::read_state(&dir).unwrap(), state_before);
    assert_eq!(merge("archived"), merged_before);
    let validation = crate::run::validate(&dir, None);
    assert!(validation.problems.is_empty(), "{:?}", validation.problems);
    let Record::TestStart(start) = started(0) else { unreachable!() };
    assert_eq!(crate::run::read_stored(&dir.join(&start.log)).unwrap(), before[&start.log]);
    assert!(crate::run::read_stored(&dir.join("results/logs/other.log")).is_err());
    // Its files stay as they are.
    let error = crate::run::recover(&dir).unwrap_err().to_string();
    assert!(error.contains("it is archived, so its files stay as they are"), "{error}");
    assert_eq!(archive(&dir).unwrap(), archived, "again: nothing happens");
    assert_eq!(due(directory.path(), Duration::from_secs(1)).unwrap(), [] as [PathBuf; 0]);

    assert_eq!(restore(&dir).unwrap(), archived.files);
    assert_eq!(tree(&dir), before);
    assert!(matches!(restore(&dir), Err(RetentionError::NotArchived(_))));

    // An archive that was damaged gives nothing back, and one that was meddled with nothing else.
    archive(&dir).unwrap();
    let mut bytes = fs::read(&archived.archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&archived.archive, &bytes).unwrap();
    assert!(restore(&dir).is_err());
    assert!(super::super::fold::read_state(&dir).is_err(), "and is not taken for an empty run");
    assert!(!crate::run::validate(&dir, None).problems.is_empty());
    assert!(archived.archive.exists());
    let gone = prune(&dir, &PrunePolicy { archives: true, ..PrunePolicy::default() }).unwrap();
    assert!(gone.contains_key("../archive/run-2026-01-14-001.tar.gz") && !archived.archive.exists());
    assert!(Taken::of(&dir).deleted.contains_key("results/golden/a.diff"));
}

#[test]
fn pruning_deletes_what_the_policy_says_and_notes_it() {
    let directory = tempfile::tempdir().unwrap();
    let dir = old_run(directory.path(), "run-2026-01-14-001");
    let before = tree(&dir);
    let planned = prunable(&dir, &PrunePolicy::default()).unwrap();
    let Record::TestStart(start) = started(0) else { unreachable!() };
    let names: Vec<&str> = planned.keys().map(String::as_str).collect();
    assert_eq!(names, ["mocks/data/scale/big.bin", start.log.as_str(), "results/traces/trace_1_x.json"]);
    assert_eq!(tree(&dir), before, "planning changes nothing");
    assert_eq!(prune(&dir, &PrunePolicy::default()).unwrap(), planned);
    let after = tree(&dir);
    let gone: Vec<&String> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    assert_eq!(gone, planned.keys().collect::<Vec<_>>());
    assert_eq!(Taken::of(&dir).deleted.len(), 3);
    assert!(!dir.join("mocks").exists(), "no empty folders stay");
    // Journals stay, so the rest can still be computed.
    crate::run::recover(&dir).unwrap();
    let nothing = PrunePolicy { logs: false, traces: false, larger_than: None, archives: false };
    assert!(prune(&dir, &nothing).unwrap().is_empty());
}

#[test]
fn a_run_that_is_still_written_stays() {
    let directory = tempfile::tempdir().unwrap();
    let dir = old_run(directory.path(), "run-2026-01-14-001");
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let journal = Journal::create(&dir.join(".stageflow/journal/h-2-k.jsonl")).unwrap();
    let Record::Open(mut process) = opened_by(&sys::host_name(), "k") else { unreachable!() };
    process.pid = child.id();
    process.start_ticks = sys::start_ticks(child.id()).unwrap_or(0);
    process.boot = sys::boot_id();
    journal.append(None, Record::Open(process));
    let refused = prune(&dir, &PrunePolicy::default());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(refused, Err(RetentionError::Running(_))), "{refused:?}");
    assert!(prune(&dir, &PrunePolicy::default()).is_ok());
}
