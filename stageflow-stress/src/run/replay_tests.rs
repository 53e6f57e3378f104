//! Every prefix of a journal, and every loss of what was not synced: reading never fails, never invents, and what was
//! promised is there.

use std::fs;
use std::path::Path;

use super::fold::read_state;
use super::state::RunState;
use crate::classify::Severity;
use crate::finding::{Finding, fingerprint};
use crate::journal::Journal;
use crate::journal::record::{
    Check, FindingRecord, LogSummary, Metric, ProcessInfo, Record, TestEnd, TestStart, TestStatus,
};

fn folder(dir: &Path) -> std::path::PathBuf {
    fs::create_dir_all(dir.join(".stageflow/journal")).unwrap();
    let info = crate::report::fixture_run().info;
    fs::write(dir.join(".stageflow/run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
    dir.join(".stageflow/journal/host-1-a.jsonl")
}

/// A process that is gone: another boot.
fn opened() -> Record {
    opened_by("elsewhere", "a")
}

pub fn opened_by(host: &str, journal: &str) -> Record {
    Record::Open(Box::new(ProcessInfo {
        journal: journal.to_owned(),
        host: host.to_owned(),
        pid: 1,
        start_ticks: 1,
        boot: "another".to_owned(),
        up: None,
        sdk: "0".to_owned(),
        command: Vec::new(),
        runner: "direct".to_owned(),
    }))
}

pub fn started(number: u32) -> Record {
    let mut start: TestStart =
        crate::report::fixture_test(&format!("it::t{number}"), TestStatus::Running).start;
    start.number = number;
    Record::TestStart(Box::new(start))
}

pub fn check(name: &str) -> Record {
    Record::Check(Check {
        name: name.to_owned(),
        passed: true,
        detail: None,
        file: "ä.rs".to_owned(),
        line: 1,
    })
}

pub fn finding(key: &str) -> Record {
    finding_of(&Finding::bug("lost").severity(Severity::High).rule("author").key(key))
}

pub fn finding_of(finding: &Finding) -> Record {
    let finding = finding.clone();
    let record = FindingRecord {
        fingerprint: fingerprint("DAG-005", &finding),
        source: "author".to_owned(),
        known: None,
        finding,
    };
    Record::Finding(Box::new(record))
}

pub fn ended() -> Record {
    ended_as(TestStatus::Failed)
}

pub fn ended_as(status: TestStatus) -> Record {
    Record::TestEnd(Box::new(TestEnd {
        status,
        reasons: Vec::new(),
        duration_ms: 1.0,
        red: Vec::new(),
        log: LogSummary::default(),
    }))
}

fn script() -> Vec<(Option<u32>, Record)> {
    let metric = Record::Metric(Metric { name: "m".to_owned(), value: 1.0, unit: String::new() });
    vec![
        (None, opened()),
        (Some(0), started(0)),
        (Some(0), check("one")),
        (Some(0), finding("a")),
        (Some(0), metric),
        (Some(0), ended()),
        (Some(1), started(1)),
        (Some(1), check("two")),
        (Some(1), finding("b")),
        (Some(1), check("three")),
    ]
}

/// Compares a state with the records that are whole.
fn assert_tells(state: &RunState, whole: &[(Option<u32>, Record)], torn: u64, at: usize) {
    let count = |kind: fn(&Record) -> bool| whole.iter().filter(|(_, record)| kind(record)).count();
    assert_eq!(state.unreadable_lines, torn, "cut at {at}");
    assert_eq!(state.processes.len(), count(|record| matches!(record, Record::Open(_))), "cut at {at}");
    assert_eq!(state.tests.len(), count(|record| matches!(record, Record::TestStart(_))), "cut at {at}");
    let checks: usize = state.tests.iter().map(|test| test.checks.len()).sum();
    assert_eq!(checks, count(|record| matches!(record, Record::Check(_))), "cut at {at}");
    let metrics: usize = state.tests.iter().map(|test| test.metrics.len()).sum();
    assert_eq!(metrics, count(|record| matches!(record, Record::Metric(_))), "cut at {at}");
    let crashed = state.tests.iter().filter(|test| test.status == TestStatus::Crashed).count();
    assert_eq!(
        crashed,
        state.tests.len() - count(|record| matches!(record, Record::TestEnd(_))),
        "cut at {at}"
    );
    // One finding for each crash, and those that were recorded.
    let recorded = state.findings.iter().filter(|stored| stored.source == "author").count();
    assert_eq!(recorded, count(|record| matches!(record, Record::Finding(_))), "cut at {at}");
    assert_eq!(state.findings.len(), recorded + crashed, "cut at {at}");
}

#[test]
fn every_prefix_of_a_journal_tells_what_is_whole_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = folder(directory.path());
    let journal = Journal::create(&path).unwrap();
    let script = script();
    let mut ends = vec![0];
    for (test, record) in &script {
        journal.append(*test, record.clone());
        ends.push(fs::metadata(&path).unwrap().len() as usize);
    }
    let bytes = fs::read(&path).unwrap();
    assert_eq!(ends.last(), Some(&bytes.len()));
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let state = read_state(directory.path()).unwrap();
        // A line that lacks nothing but its newline is whole: its checksum says so.
        let whole = ends[1..].iter().filter(|end| **end - 1 <= cut).count();
        let torn = u64::from(!ends.contains(&cut) && !ends.contains(&(cut + 1)));
        assert_tells(&state, &script[..whole], torn, cut);
        assert!(state.losses.is_empty(), "cut at {cut}: {:?}", state.losses);
    }
}

#[test]
fn a_clock_that_stepped_between_processes_is_flagged() {
    for (step_ms, flagged) in [(0, 0), (900, 0), (5000, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let path = folder(directory.path());
        for (number, up) in [(1, 100_000), (2, 100_000 + step_ms)] {
            let journal = Journal::create(&path.with_file_name(format!("h-{number}-x.jsonl"))).unwrap();
            let Record::Open(mut process) = opened_by("h", "x") else { unreachable!() };
            // Both were opened now, and the system had been up for different times.
            process.up = Some(up);
            journal.append(None, Record::Open(process));
        }
        let state = read_state(directory.path()).unwrap();
        let clock: u64 = state.losses.iter().filter(|loss| loss.what == "clock").map(|loss| loss.count).sum();
        assert_eq!(clock, flagged, "a step of {step_ms} ms");
    }
}

#[test]
fn what_is_promised_to_survive_a_power_cut_was_synced_when_append_returned() {
    let directory = tempfile::tempdir().unwrap();
    let path = folder(directory.path());
    let journal = Journal::create(&path).unwrap();
    let mut promised = 0;
    let mut appended = Vec::new();
    for (test, record) in script() {
        journal.append(test, record.clone());
        appended.push((test, record));
        promised = match appended.last() {
            Some((_, Record::Finding(_) | Record::TestEnd(_))) => appended.len(),
            _ => promised,
        };
        // The power fails here: of what was not synced any part may be lost.
        let bytes = fs::read(&path).unwrap();
        let synced = usize::try_from(journal.synced()).unwrap();
        for left in (synced..=bytes.len()).step_by(61) {
            let after = tempfile::tempdir().unwrap();
            fs::write(folder(after.path()), &bytes[..left]).unwrap();
            let state = read_state(after.path()).unwrap();
            let kept = bytes[..left].iter().filter(|byte| **byte == b'\n').count();
            assert!(kept >= promised, "{promised} records are promised, {kept} are left");
            let author = state.findings.iter().filter(|stored| stored.source == "author").count();
            let expected = appended[..promised]
                .iter()
                .filter(|(_, record)| matches!(record, Record::Finding(_)))
                .count();
            assert!(author >= expected, "{expected} findings are promised, {author} are left");
        }
    }
    assert_eq!(promised, 9);
}
