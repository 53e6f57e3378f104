//! `stageflow-test logs analyze` and `logs diff` of the real binary, on logs of several loggers.

use std::fs;
use std::path::Path;

use serde_json::Value;
use stageflow_stress_tests::{json, shell};

const PYTHON: &str = "2026-01-14 09:00:00,000 - dag - INFO - stage started run_id=7 stage=load
2026-01-14 09:00:00,100 - dag - INFO - stage completed run_id=7 stage=load status=ok
2026-01-14 09:00:01,000 - dag - ERROR - cannot write part run_id=7: disk is full
Traceback (most recent call last):
  File \"dag.py\", line 7, in write
OSError: [Errno 28] No space left on device
2026-01-14 09:00:02,000 - dag - INFO - pipeline completed run_id=7
";
const TRACING: &str = "\
2026-01-14T09:00:00.000123Z  INFO run{run_id=7}: engine: stage started
2026-01-14T09:00:00.100123Z  INFO run{run_id=7}: engine: stage completed
";
const JSON: &str = "\
{\"timestamp\":\"2026-01-14T09:00:00Z\",\"level\":\"INFO\",\"logger\":\"dag\",\"message\":\"stage started\",\"run_id\":\"7\"}
{\"timestamp\":\"2026-01-14T09:00:01Z\",\"level\":\"INFO\",\"logger\":\"dag\",\"message\":\"stage completed\",\"run_id\":\"7\"}
";
const SYSLOG: &str =
    "Jan 14 09:00:00 host su[42]: session opened\nJan 14 09:00:01 host su[42]: session closed\n";
const PLAIN: &str = "server started\nlistening on port 8080\n";

fn logs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("python.log", PYTHON),
        ("tracing.log", TRACING),
        ("json.log", JSON),
        ("syslog.log", SYSLOG),
        ("plain.log", PLAIN),
    ] {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    dir
}

fn detector<'v>(report: &'v Value, id: &str) -> &'v Value {
    let detectors = report["stats"]["detectors"].as_array().expect("detectors");
    detectors.iter().find(|detector| detector["id"] == id).expect("the detector")
}

#[test]
fn logs_of_several_loggers_are_read_in_one_go() {
    let dir = logs();
    let line = "stageflow-test logs analyze python.log tracing.log json.log syslog.log plain.log --json";
    let answer = shell(dir.path(), line, &[]).exits(0).json();
    let logs = answer["logs"].as_array().expect("logs");
    let read: Vec<(&str, &str, u64, f64)> = logs
        .iter()
        .map(|log| {
            let stats = &log["stats"];
            (
                log["file"].as_str().expect("a name"),
                stats["formats"].as_str().expect("formats"),
                stats["records"].as_u64().expect("a number"),
                stats["parsed_percent"].as_f64().expect("a number"),
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            ("python.log", "python 4", 4, 100.0),
            ("tracing.log", "tracing 2", 2, 100.0),
            ("json.log", "json 2", 2, 100.0),
            ("syslog.log", "syslog 2", 2, 100.0),
            ("plain.log", "plain 2", 2, 100.0),
        ]
    );
    for log in logs {
        assert_eq!(log["stats"]["detectors"].as_array().map(Vec::len), Some(24));
    }
    assert_eq!(detector(&logs[0], "D2")["outcome"], "finding");
    assert_eq!(logs[0]["errors"]["errors"][0]["kind"], "error");
    // That the error is a finding of a run that went well is for the caller to say.
    assert_eq!(logs[0]["findings"].as_array().map(Vec::len), Some(0), "{}", logs[0]["findings"]);
}

#[test]
fn people_see_every_detector_and_the_error() {
    let dir = logs();
    let spoken = shell(dir.path(), "stageflow-test logs analyze python.log", &[])
        .exits(0)
        .says("7 lines, 4 records, 100.00 % understood, 0 kept and not understood; python 4")
        .says("inconclusive")
        .says("not applicable");
    let spoken = (1..=24).fold(spoken, |spoken, n| spoken.says(&format!("D{n} ")));
    drop(spoken);
    shell(dir.path(), "stageflow-test logs analyze python.log --markdown", &[])
        .exits(0)
        .says("# Log analysis: python.log")
        .says("No space left on device");
}

#[test]
fn a_finding_is_told_by_the_exit_code_and_can_be_announced_or_waived() {
    let dir = logs();
    let say = |line: &str| shell(dir.path(), &format!("stageflow-test logs analyze {line}"), &[]);
    say("python.log --passed --exit-code").exits(1);
    say("python.log --passed").exits(0);
    say("python.log --passed --exit-code --expect-error 'disk is full'").exits(0);
    say("json.log --passed --exit-code").exits(0);
    say("json.log --exit-code --expect-log 'stage completed'").exits(0);
    say("json.log --exit-code --expect-log 'ledger closed'").exits(1).says("ledger closed");
    say("json.log --exit-code --expect-log 'ledger closed' --waive D9:ledger").exits(0).says("waived");
}

#[test]
fn standard_input_is_a_log_too() {
    let dir = logs();
    let answer = shell(dir.path(), "cat json.log tracing.log | stageflow-test logs analyze - --json", &[])
        .exits(0)
        .json();
    assert_eq!(answer["logs"][0]["stats"]["formats"], "json 2, tracing 2");
    let answer = shell(dir.path(), "stageflow-test logs analyze - --json < /dev/null", &[]).exits(0).json();
    assert_eq!(answer["logs"][0]["stats"]["records"], 0);
    assert_eq!(answer["logs"][0]["stats"]["parsed_percent"], Value::Null);
}

#[test]
fn files_are_written_where_they_are_wanted() {
    let dir = logs();
    shell(dir.path(), "stageflow-test logs analyze python.log --output out/deep", &[]).exits(0);
    let out = dir.path().join("out/deep");
    assert_eq!(json(&out.join("python_stats.json"))["records"], 4);
    assert_eq!(json(&out.join("python_errors.json"))["unique"], 1);
    assert!(read(&out.join("python_analysis.md")).contains("## Detectors"));
}

#[test]
fn what_cannot_be_read_or_understood_is_said() {
    let dir = logs();
    let say = |line: &str| shell(dir.path(), &format!("stageflow-test logs {line}"), &[]);
    say("analyze missing.log").exits(5).complains("missing.log");
    say("analyze .").exits(5).complains(".");
    say("analyze").exits(2).complains("FILE");
    say("analyze json.log --waive D99").exits(2).complains("`D99` is no detector: write D1 to D24");
    say("analyze json.log --last-good missing.log").exits(5).complains("missing.log");
    say("diff json.log").exits(2).complains("AFTER");
    say("diff json.log missing.log").exits(5).complains("missing.log");
    // Bytes that are no text are a log as well, of which little is understood.
    fs::write(dir.path().join("bytes.log"), [0, 159, 146, 150, 10, 255, 0, 10]).expect("a file");
    let answer = say("analyze bytes.log --json").exits(0).json();
    assert!(answer["logs"][0]["stats"]["invalid_utf8"].as_u64() > Some(0));
    assert!(answer["logs"][0]["stats"]["nul_bytes"].as_u64() > Some(0));
}

#[test]
fn two_logs_are_compared() {
    let dir = logs();
    let say = |line: &str| shell(dir.path(), &format!("stageflow-test logs diff {line}"), &[]);
    let answer = say("json.log python.log --json").exits(0).json();
    let kinds: Vec<&str> = answer["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .filter_map(|change| change["kind"].as_str())
        .collect();
    assert!(kinds.contains(&"new"), "{answer}");
    assert!(answer["frequencies_not_compared"].is_string());
    say("json.log python.log --exit-code").exits(1).says("new").says("frequencies were not compared");
    say("json.log json.log --exit-code").exits(0).says("2 patterns are the same in both");
    say("json.log,tracing.log json.log,tracing.log --exit-code").exits(0);
    say("json.log python.log --markdown").exits(0).says("# Log difference: json.log → python.log");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}
