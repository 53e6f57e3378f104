//! What holds for every run of every pipeline, checked over the report of one run.

use serde_json::{Value, json};

use super::rules::{self, Facts};
use super::{PipelineSpec, RunOptions, RunReport};
use crate::classify::Severity;
use crate::finding::Finding;

/// Findings of one rule beyond this number are counted in the last one's description.
const PER_RULE: usize = 10;

/// Checks one run against invariants that hold for every run of every pipeline.
///
/// It knows the pipeline, the options and the report; it knows no engine and no defect. Each rule is an invariant with
/// a stable name, and each breach of it is one [`Finding`] with the facts as evidence:
///
/// | rule | invariant |
/// |---|---|
/// | `engine.process_died` | the process that runs the pipeline survives it |
/// | `engine.error_without_cause` | a well-formed, acyclic pipeline ends with an error only if one of its stages did not succeed |
/// | `engine.failure_taken_for_success` | a run is not ok if a stage failed, raised or cancelled |
/// | `engine.retry_not_honored` | after a stage that asked to be run again at its end, neither is the run ok nor do its dependents run |
/// | `engine.attempts` | a stage is entered as often as its failures and the configured attempts make it: no more, no less |
/// | `engine.never_ran` | in a run that is ok every stage was entered, and no stage is reported ok that was not |
/// | `engine.no_end` | every stage that was entered has ended when the grace window closes |
/// | `engine.order` | no stage starts before its dependencies have ended, or although one did not succeed |
/// | `engine.late_effect` | no effect happens after the run has ended |
/// | `engine.task_outlives_run` | no task of the run is alive when it has ended |
/// | `engine.status_changed` | the engine reports the status that the stage returned |
/// | `engine.output_changed` | the engine reports, after the run, the data that the stage returned |
/// | `engine.input_differs` | a stage sees of each dependency what that dependency returned |
/// | `engine.loop_error` | no error ends in the event loop with nobody to take it |
///
/// ```
/// use stageflow_stress::engine::*;
///
/// let pipeline = PipelineSpec::new("p").stage(StageSpec::new("pay", Behavior::fail("card declined")));
/// let mut pay = StageReport::new("pay");
/// pay.attempts = 1;
/// pay.started_ms = Some(0.1);
/// pay.ended_ms = Some(0.2);
/// pay.returned = Some(StageStatus::Fail);
/// pay.status = StageStatus::Fail;
/// let mut report = RunReport::new(RunEnd::Ok);
/// report.stages.push(pay);
///
/// let findings = audit(&pipeline, &RunOptions::new(), &report);
/// assert_eq!(findings[0].rule, "engine.failure_taken_for_success");
/// ```
#[must_use]
pub fn audit(pipeline: &PipelineSpec, options: &RunOptions, report: &RunReport) -> Vec<Finding> {
    let facts = Facts { pipeline, options, report };
    let mut findings = Vec::new();
    for rule in rules::ALL {
        let mut made = rule(&facts);
        if made.len() > PER_RULE {
            let hidden = made.len() - PER_RULE;
            made.truncate(PER_RULE);
            if let Some(last) = made.last_mut() {
                last.description.push_str(&format!(" The same holds for {hidden} more."));
            }
        }
        findings.extend(made);
    }
    findings.into_iter().map(|finding| with_run(finding, &facts)).collect()
}

/// Adds what a reader needs to judge any of the rules: the pipeline and how its run ended.
fn with_run(finding: Finding, facts: &Facts<'_>) -> Finding {
    const SHOWN: usize = 12;
    let stages: Vec<Value> = facts
        .pipeline
        .stages
        .iter()
        .take(SHOWN)
        .map(|stage| serde_json::to_value(stage).unwrap_or_default())
        .collect();
    let data = json!({
        "pipeline": facts.pipeline.name,
        "stages": facts.pipeline.stages.len(),
        "first_stages": stages,
        "options": facts.options,
        "end": facts.report.end,
        "error": facts.report.error,
    });
    let summary = format!("pipeline `{}` ended {}", facts.pipeline.name, facts.report.end);
    finding
        .step(format!("run the pipeline `{}` of the evidence with its options", facts.pipeline.name))
        .evidence("run", summary, data)
}

/// Checks that two runs which must not differ do not: same end, same statuses, same data.
///
/// `what` names what was varied between them, such as `order of declaration`. Stages are matched by name; times,
/// effects, events and tasks are not compared.
///
/// ```
/// use stageflow_stress::engine::*;
///
/// let fast = RunReport::new(RunEnd::Ok);
/// let slow = RunReport::new(RunEnd::Error);
/// assert_eq!(compare("speed of stages", &fast, &slow)[0].rule, "engine.runs_differ");
/// assert!(compare("speed of stages", &fast, &fast).is_empty());
/// ```
#[must_use]
pub fn compare(what: &str, first: &RunReport, second: &RunReport) -> Vec<Finding> {
    let mut differences = Vec::new();
    let mut note = |at: &str, first: Value, second: Value| {
        if first != second {
            differences.push(json!({ "at": at, "first": first, "second": second }));
        }
    };
    note("end", json!(first.end), json!(second.end));
    note("error_type", json!(first.error_type), json!(second.error_type));
    for stage in &first.stages {
        let other = second.stage(&stage.name);
        note(&format!("{}.status", stage.name), json!(stage.status), json!(other.map(|s| s.status)));
        note(&format!("{}.data", stage.name), json!(stage.data), json!(other.map(|s| &s.data)));
    }
    for stage in second.stages.iter().filter(|stage| first.stage(&stage.name).is_none()) {
        note(&format!("{}.status", stage.name), Value::Null, json!(stage.status));
    }
    let Some(leading) = differences.first() else { return Vec::new() };
    let count = differences.len();
    let summary = format!("{count} differences; the first is at {}", leading["at"]);
    differences.truncate(PER_RULE);
    vec![
        Finding::bug(format!("the {what} changes what a pipeline does"))
            .severity(Severity::High)
            .rule("engine.runs_differ")
            .key(what)
            .description(format!(
                "Two runs of one pipeline that vary only in the {what} must end alike, with the same statuses and \
                 the same data. They do not: {summary}."
            ))
            .evidence("repeat-run comparison", summary, json!(differences)),
    ]
}
