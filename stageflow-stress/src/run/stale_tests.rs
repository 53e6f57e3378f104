use std::fs;
use std::path::PathBuf;

use super::super::replay_tests::{check, ended_as, finding, finding_of, opened_by, started};
use super::super::write::write_folder;
use super::*;
use crate::finding::{Finding, fingerprint};
use crate::journal::Journal;
use crate::journal::record::Record;

/// A run on a commit, whose test `it::t0` records this and ends so.
fn run(root: &Path, number: u32, commit: &str, records: Vec<Record>, status: Option<TestStatus>) -> PathBuf {
    let run_id = format!("run-2026-01-14-{number:03}");
    let dir = root.join("DAG-005").join(&run_id);
    fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
    let mut info = crate::report::fixture_run().info;
    info.run_id = run_id;
    info.uuid = format!("u{number}");
    info.git_commit = Some(commit.to_owned());
    fs::write(dir.join(".stageflow/run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
    let journal = Journal::create(&dir.join(".stageflow/journal/h-1-j.jsonl")).unwrap();
    journal.append(None, opened_by("h", "j"));
    if let Some(status) = status {
        journal.append(None, started(0));
        for record in records {
            journal.append(Some(0), record);
        }
        journal.append(Some(0), ended_as(status));
    }
    write_folder(&dir).unwrap();
    dir
}

fn of_check() -> Finding {
    let mut finding = Finding::bug("check failed").rule("check").key("merged");
    finding.locator = "it::t0".to_owned();
    finding.severity(Severity::High)
}

fn all(root: &Path) -> Vec<Stale> {
    let known = KnownFindings::default();
    stale(&FindingStore::open(root).unwrap().with_known(&known), &known)
}

#[test]
fn only_runs_in_which_the_test_came_to_the_check_and_passed_count() {
    use TestStatus::{Failed, Passed, Skipped};
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    run(root, 1, "c1", vec![finding_of(&of_check())], Some(Failed));
    assert_eq!(all(root), [], "the latest run saw it");
    run(root, 2, "c2", vec![check("merged")], Some(Passed));
    run(root, 3, "c2", vec![check("other")], Some(Passed));
    run(root, 4, "c2", vec![], Some(Skipped));
    run(root, 5, "c2", vec![], None);
    run(root, 6, "c2", vec![check("merged")], Some(Failed));
    run(root, 7, "c1", vec![check("merged")], Some(Passed));
    let one = all(root).remove(0);
    assert_eq!(
        one.absence,
        Absence { later_runs: 6, not_read: 0, ran: 5, reached: 3, passed: 1, same_commit: 1 }
    );
    assert!(!one.proposed_fixed());
    assert!(
        one.reason()
            .contains("ran in 5, came to the check in 3 and passed in 1 on another commit; 3 are needed")
    );
    run(root, 8, "c3", vec![check("merged")], Some(Passed));
    let dir = run(root, 9, "c3", vec![check("merged")], Some(Passed));
    let one = all(root).remove(0);
    assert!(one.proposed_fixed(), "{}", one.reason());
    assert_eq!((one.status, one.last_seen.as_deref()), (FindingStatus::Open, Some("run-2026-01-14-001")));
    // Records that are gone are no evidence.
    fs::remove_dir_all(dir.join(".stageflow/journal")).unwrap();
    let one = all(root).remove(0);
    assert_eq!((one.absence.passed, one.absence.not_read, one.proposed_fixed()), (2, 1, false));
    // Seen again, it is not stale.
    run(root, 10, "c3", vec![finding_of(&of_check())], Some(Failed));
    assert_eq!(all(root), []);
}

#[test]
fn the_ratchet_tells_new_known_came_back_and_stale() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let print = |finding: &Finding| fingerprint("DAG-005", finding);
    let named = |key: &str| Finding::bug("lost").severity(Severity::High).rule("author").key(key);
    run(root, 1, "c1", vec![finding("gone")], Some(TestStatus::Failed));
    let seen = vec![finding("new"), finding("accepted"), finding("fixed")];
    run(root, 2, "c2", seen, Some(TestStatus::Failed));
    let listed = |key: &str, status: &str| {
        format!("[[known]]\nfingerprint = \"{}\"\nwhy = \"w\"\nstatus = \"{status}\"\n", print(&named(key)))
    };
    let text = [
        listed("gone", "confirmed"),
        listed("accepted", "wont_fix"),
        listed("fixed", "resolved"),
        listed("never", "open"),
    ]
    .concat();
    let known = KnownFindings::parse("f", &text).unwrap();
    let store = FindingStore::open(root).unwrap().with_known(&known);
    let ratchet = ratchet(&store, &known, Severity::High);
    let keys = |findings: &[&FoundFinding]| -> Vec<String> {
        findings
            .iter()
            .map(|found| found.latest.extension("key").unwrap().as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&ratchet.unknown), ["new"]);
    assert_eq!(keys(&ratchet.regressions), ["fixed"]);
    assert_eq!(keys(&ratchet.accepted), ["accepted"]);
    assert!(!ratchet.holds());
    let stale: Vec<(&str, bool)> =
        ratchet.stale.iter().map(|stale| (stale.fingerprint.as_str(), stale.last_seen.is_some())).collect();
    assert_eq!(stale, [(print(&named("gone")).as_str(), true), (print(&named("never")).as_str(), false)]);
    assert!(super::ratchet(&store, &known, Severity::Critical).unknown.is_empty());
}
