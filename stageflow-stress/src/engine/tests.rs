//! The rules of the audit, each fed a right report and one that breaks it.

use serde_json::{Map, Value, json};

use super::*;

/// A stage that ran once, from `at` to `at + 1`, returned `data` and is reported so.
fn done(name: &str, at: f64, data: Value) -> StageReport {
    let mut stage = StageReport::new(name);
    stage.status = StageStatus::Ok;
    stage.reported = true;
    stage.attempts = 1;
    stage.started_ms = Some(at);
    stage.ended_ms = Some(at + 1.0);
    stage.returned = Some(StageStatus::Ok);
    stage.returned_data = Some(data.clone());
    stage.data = Some(data);
    stage
}

fn ended(name: &str, at: f64, status: StageStatus) -> StageReport {
    let mut stage = done(name, at, json!({}));
    stage.status = status;
    stage.returned = Some(status);
    stage
}

fn saw(mut stage: StageReport, of: &str, data: Value) -> StageReport {
    stage.seen = Map::from_iter([(of.to_owned(), data)]);
    stage
}

fn report(end: RunEnd, stages: impl IntoIterator<Item = StageReport>) -> RunReport {
    let mut report = RunReport::new(end);
    report.stages = stages.into_iter().collect();
    report
}

/// `a` emits a list, `b` reads it.
fn two() -> PipelineSpec {
    PipelineSpec::new("two")
        .stage(StageSpec::new("a", Behavior::emit("items", json!([1]))))
        .stage(StageSpec::new("b", Behavior::read("items")).after(["a"]))
}

fn two_right() -> RunReport {
    let items = json!({ "items": [1] });
    report(RunEnd::Ok, [done("a", 0.0, items.clone()), saw(done("b", 1.0, items.clone()), "a", items)])
}

fn lone(behavior: Behavior) -> PipelineSpec {
    PipelineSpec::new("lone").stage(StageSpec::new("f", behavior))
}

#[track_caller]
fn rules(pipeline: &PipelineSpec, options: &RunOptions, report: &RunReport) -> Vec<String> {
    audit(pipeline, options, report).into_iter().map(|finding| finding.rule).collect()
}

#[track_caller]
fn only(pipeline: &PipelineSpec, report: &RunReport, rule: &str) {
    assert_eq!(rules(pipeline, &RunOptions::new(), report), [rule]);
}

const NONE: [&str; 0] = [];

#[test]
fn a_right_report_has_no_findings() {
    assert_eq!(rules(&two(), &RunOptions::new(), &two_right()), NONE);
}

#[test]
fn a_failing_stage_with_a_failing_run_is_right() {
    let pipeline = lone(Behavior::fail("no"));
    let right = report(RunEnd::Error, [ended("f", 0.0, StageStatus::Fail)]);
    assert_eq!(rules(&pipeline, &RunOptions::new(), &right), NONE);
    let wrong = report(RunEnd::Ok, [ended("f", 0.0, StageStatus::Fail)]);
    only(&pipeline, &wrong, "engine.failure_taken_for_success");
}

#[test]
fn a_cancelled_pipeline_that_stops_its_siblings_is_right() {
    let pipeline = lone(Behavior::Cancel { reason: "enough".to_owned() })
        .stage(StageSpec::new("slow", Behavior::Echo))
        .stage(StageSpec::new("next", Behavior::Echo).after(["f"]));
    let mut slow = ended("slow", 0.0, StageStatus::Stopped);
    (slow.returned, slow.raised, slow.reported) = (None, Some("CancelledError".to_owned()), false);
    let stages = [ended("f", 0.0, StageStatus::Cancel), slow, StageReport::new("next")];
    assert_eq!(rules(&pipeline, &RunOptions::new(), &report(RunEnd::Cancelled, stages.clone())), NONE);
    let ok = rules(&pipeline, &RunOptions::new(), &report(RunEnd::Ok, stages));
    assert_eq!(ok, ["engine.failure_taken_for_success", "engine.never_ran"]);
}

#[test]
fn an_error_needs_a_cause() {
    let build = report(RunEnd::Error, [StageReport::new("a"), StageReport::new("b")]);
    only(&two(), &build, "engine.error_without_cause");
    let cycle = PipelineSpec::new("cycle")
        .stage(StageSpec::new("a", Behavior::Echo).after(["b"]))
        .stage(StageSpec::new("b", Behavior::Echo).after(["a"]));
    assert_eq!(rules(&cycle, &RunOptions::new(), &build), NONE);
}

#[test]
fn a_retry_that_is_taken_for_done_is_found_through_the_run_and_through_dependents() {
    let pipeline =
        lone(Behavior::flaky(1, FlakyHow::Retry)).stage(StageSpec::new("b", Behavior::Echo).after(["f"]));
    let options = RunOptions::new().max_attempts(3);
    let b = saw(done("b", 2.0, json!({})), "f", json!({}));
    let wrong = report(RunEnd::Ok, [ended("f", 0.0, StageStatus::Retry), b.clone()]);
    assert_eq!(rules(&pipeline, &options, &wrong), ["engine.retry_not_honored"]);

    let mut again = done("f", 0.0, json!({}));
    again.attempts = 2;
    assert_eq!(rules(&pipeline, &options, &report(RunEnd::Ok, [again, b])), NONE);
}

#[test]
fn attempts_are_those_that_failures_and_options_make() {
    let pipeline = lone(Behavior::flaky(3, FlakyHow::Raise));
    let run = |attempts, end, status| {
        let mut stage = ended("f", 0.0, status);
        stage.attempts = attempts;
        report(end, [stage])
    };
    let five = RunOptions::new().max_attempts(5);
    assert_eq!(rules(&pipeline, &five, &run(4, RunEnd::Ok, StageStatus::Ok)), NONE);
    assert_eq!(rules(&pipeline, &five, &run(2, RunEnd::Error, StageStatus::Fail)), ["engine.attempts"]);
    let two = RunOptions::new().max_attempts(2);
    assert_eq!(rules(&pipeline, &two, &run(2, RunEnd::Error, StageStatus::Fail)), NONE);
    assert_eq!(rules(&pipeline, &two, &run(3, RunEnd::Error, StageStatus::Fail)), ["engine.attempts"]);
    // A stage that never fails runs once, whatever is configured.
    let steady = lone(Behavior::emit("n", 1));
    assert_eq!(rules(&steady, &five, &run(2, RunEnd::Ok, StageStatus::Ok)), ["engine.attempts"]);
}

#[test]
fn a_stage_that_never_ran_is_not_ok() {
    let mut wrong = two_right();
    wrong.stages[1].attempts = 0;
    wrong.stages[1].returned = None;
    only(&two(), &wrong, "engine.never_ran");
    // Lost without being reported at all.
    wrong.stages[1] = StageReport::new("b");
    only(&two(), &wrong, "engine.never_ran");
    // Skipped by the engine, and reported as such.
    wrong.stages[1].reported = true;
    wrong.stages[1].status = StageStatus::Skip;
    assert_eq!(rules(&two(), &RunOptions::new(), &wrong), NONE);
}

#[test]
fn what_outlives_the_run_is_found() {
    let pipeline = lone(Behavior::fail("no")).stage(StageSpec::new("slow", Behavior::Echo));
    let mut slow = StageReport::new("slow");
    (slow.status, slow.attempts, slow.started_ms) = (StageStatus::Running, 1, Some(0.0));
    let mut wrong = report(RunEnd::Error, [ended("f", 0.0, StageStatus::Fail), slow]);
    wrong.wall_ms = 5.0;
    wrong.tasks_at_end = vec!["run_stage".to_owned()];
    wrong.effects =
        vec![Effect::new("early", 1.0), Effect { after_end: true, ..Effect::new("charged", 9.0) }];
    let findings = audit(&pipeline, &RunOptions::new(), &wrong);
    let found: Vec<_> = findings.iter().map(|f| (f.rule.as_str(), f.key.as_deref())).collect();
    let expected = [
        ("engine.no_end", Some("slow")),
        ("engine.late_effect", Some("charged")),
        ("engine.task_outlives_run", None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_stage_waits_for_dependencies_and_for_their_success() {
    let mut early = two_right();
    early.stages[1].started_ms = Some(0.5);
    only(&two(), &early, "engine.order");
    let mut failed = two_right();
    failed.end = RunEnd::Error;
    failed.stages[0] = ended("a", 0.0, StageStatus::Fail);
    failed.stages[1].seen = Map::from_iter([("a".to_owned(), json!({}))]);
    only(&two(), &failed, "engine.order");
}

#[test]
fn outputs_stay_what_they_were() {
    let mut status = two_right();
    status.stages[0].status = StageStatus::Skip;
    only(&two(), &status, "engine.status_changed");
    let mut data = two_right();
    data.stages[0].data = Some(json!({ "items": [1, 2] }));
    only(&two(), &data, "engine.output_changed");
    let mut seen = two_right();
    seen.stages[1].seen = Map::from_iter([("a".to_owned(), json!({ "items": [1, 2] }))]);
    only(&two(), &seen, "engine.input_differs");
    let mut lost = two_right();
    lost.stages[1].seen = Map::new();
    only(&two(), &lost, "engine.input_differs");
}

#[test]
fn a_death_is_one_finding_that_names_what_was_running() {
    let mut open = StageReport::new("b");
    (open.status, open.attempts, open.started_ms) = (StageStatus::Running, 1, Some(1.0));
    let mut died = report(RunEnd::Died, [done("a", 0.0, json!({})), open]);
    died.error = Some("killed by SIGSEGV".to_owned());
    died.last_lines = vec!["Segmentation fault".to_owned()];
    let findings = audit(&two(), &RunOptions::new(), &died);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].rule, "engine.process_died");
    assert!(findings[0].description.contains("SIGSEGV") && findings[0].description.contains("\"b\""));
}

#[test]
fn loop_errors_are_found() {
    let mut wrong = two_right();
    wrong.loop_errors.push("Task exception was never retrieved".to_owned());
    only(&two(), &wrong, "engine.loop_error");
}

#[test]
fn many_breaches_of_one_rule_are_capped_and_counted() {
    let mut pipeline = PipelineSpec::new("wide");
    let mut stages = Vec::new();
    for n in 0..30 {
        pipeline = pipeline.stage(StageSpec::new(format!("s{n}"), Behavior::Echo));
        stages.push(StageReport::new(format!("s{n}")));
    }
    let findings = audit(&pipeline, &RunOptions::new(), &report(RunEnd::Ok, stages));
    assert_eq!(findings.len(), 10);
    assert!(findings[9].description.ends_with("The same holds for 20 more."));
}

#[test]
fn runs_that_must_not_differ_are_compared_by_stage_name() {
    let first = two_right();
    let mut second = two_right();
    second.stages.reverse();
    second.wall_ms = 99.0;
    assert_eq!(compare("order of declaration", &first, &second), []);
    second.stages[0].data = Some(json!({ "items": [] }));
    let findings = compare("order of declaration", &first, &second);
    assert_eq!((findings.len(), findings[0].rule.as_str()), (1, "engine.runs_differ"));
    assert!(findings[0].description.contains("b.data"));
}

#[test]
fn every_finding_carries_evidence_and_a_rule_of_its_own() {
    let wrong = report(RunEnd::Ok, [ended("f", 0.0, StageStatus::Fail)]);
    for finding in audit(&lone(Behavior::fail("no")), &RunOptions::new(), &wrong) {
        assert!(finding.rule.starts_with("engine."));
        assert!(finding.evidence.len() >= 2, "{finding:?}");
        assert!(finding.key.is_some());
    }
}
