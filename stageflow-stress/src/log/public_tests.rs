use serde_json::Value;

use super::*;
use crate::schema::Schema;

const LOG: &[u8] = b"2026-01-14 09:00:00,000 - dag - INFO - stage started run_id=7 stage=load
2026-01-14 09:00:00,100 - dag - INFO - stage completed run_id=7 stage=load status=ok
2026-01-14 09:00:00,200 - dag - INFO - stage started run_id=7 stage=merge
2026-01-14 09:00:01,000 - dag - ERROR - cannot write part run_id=7: disk is full
Traceback (most recent call last):
  File \"dag.py\", line 7, in write
OSError: [Errno 28] No space left on device
2026-01-14 09:00:02,000 - dag - INFO - pipeline completed run_id=7
2026-01-14 09:00:03,000 - dag - INFO - stage completed run_id=8 stage=merge status=ok
";

fn outcome(report: &Report, id: &str) -> DetectorOutcome {
    report.detectors().find(|detector| detector.id == id).unwrap().outcome
}

fn valid(schema: Schema, text: &str) {
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(schema.violations(&document), [], "{text}");
    let schema: Value = serde_json::from_str(schema.text()).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [] as [String; 0], "{text}");
}

#[test]
fn what_is_written_is_valid_by_the_published_schemas() {
    for (log, options) in [
        (LOG, Options::new().name("dag.log").passed(true)),
        (b"".as_slice(), Options::new()),
        (b"plain\nlines\xff\n".as_slice(), Options::new().expect_log("missing", 1..)),
    ] {
        let report = analyze(log, &options);
        valid(Schema::LogStats, &report.stats_json());
        valid(Schema::LogErrors, &report.errors_json());
        let difference = diff(log, b"INFO: another\n", &options);
        valid(Schema::LogDiff, &difference.json().to_string());
    }
    let stats: Value = serde_json::from_str(&analyze(LOG, &Options::new()).stats_json()).unwrap();
    let mut broken = stats;
    broken["detectors"][0]["outcome"] = "fine".into();
    assert_eq!(Schema::LogStats.violations(&broken).len(), 1);
}

#[test]
fn a_foreign_log_is_analysed_like_our_own() {
    let report = analyze(LOG, &Options::new().passed(true));
    assert_eq!(
        (report.lines(), report.records(), report.unparsed(), report.coverage()),
        (9, 6, 0, Some(100.0))
    );
    assert_eq!(report.formats(), "python 6");
    for (id, expected) in [
        ("D2", DetectorOutcome::Finding),
        ("D16", DetectorOutcome::Finding),
        ("D19", DetectorOutcome::Finding),
        ("D21", DetectorOutcome::NotApplicable),
        ("D24", DetectorOutcome::Inconclusive),
    ] {
        assert_eq!(outcome(&report, id), expected, "{id}");
    }
    let page = report.markdown();
    assert!(
        page.contains("No space left on device")
            && page.contains("a beginning without an end: dag: stage merge"),
        "{page}"
    );
}

#[test]
fn what_is_declared_is_judged() {
    let count = |options: Options, rule: &str| {
        analyze(LOG, &options).findings().iter().filter(|finding| finding.rule == rule).count()
    };
    assert_eq!(count(Options::new().expect_log("stage started", 2..=2), "log.expected_record"), 0);
    assert_eq!(count(Options::new().expect_log("stage started", 3..), "log.expected_record"), 1);
    assert_eq!(count(Options::new().expect_log("stage started", ..=1), "log.expected_record"), 1);
    let steps = [("", "started"), ("started", "completed")];
    assert_eq!(count(Options::new().states("stage", "stage", "", steps), "log.transition"), 0);
    let steps = [("", "started"), ("completed", "started")];
    assert_eq!(count(Options::new().states("stage", "stage", "", steps), "log.transition"), 1);
    let pair = Options::new().expect_pair("stage started", ["stage completed"], "stage").waive(16, "dag: ");
    assert_eq!(count(pair, "log.unpaired"), 0);
    let pair = Options::new().expect_pair("stage started", ["stage failed"], "stage").waive(16, "dag: ");
    assert_eq!(count(pair, "log.unpaired"), 1);
    assert_eq!(count(Options::new().waive(16, ""), "log.unpaired"), 0);
    assert_eq!(
        count(Options::new().passed(true).expect_error("disk is full"), "log.error_in_passing_test"),
        0
    );
    assert_eq!(count(Options::new().passed(true), "log.error_in_passing_test"), 1);
}

#[test]
fn secrets_are_found_and_never_repeated() {
    let secret = format!("ghp_{}", "a1B2".repeat(9));
    let log = format!("INFO: using token {secret} for push\nINFO: done\n");
    let report = analyze(log.as_bytes(), &Options::new());
    let finding = report.findings().iter().find(|finding| finding.rule == "log.secret").unwrap();
    assert!(!serde_json::to_string(finding).unwrap().contains(&secret));
    assert_eq!(outcome(&report, "D23"), DetectorOutcome::Finding);
    assert_eq!(outcome(&analyze(LOG, &Options::new()), "D23"), DetectorOutcome::Clean);
}
