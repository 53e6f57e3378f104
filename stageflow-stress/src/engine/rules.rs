//! The rules of [`super::audit`], one function each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Behavior, FlakyHow, PipelineSpec, RunEnd, RunOptions, RunReport, StageReport, StageSpec, StageStatus,
};
use crate::classify::Severity;
use crate::finding::Finding;

/// What a rule may look at.
pub(super) struct Facts<'a> {
    pub(super) pipeline: &'a PipelineSpec,
    pub(super) options: &'a RunOptions,
    pub(super) report: &'a RunReport,
}

type Rule = fn(&Facts<'_>) -> Vec<Finding>;

pub(super) const ALL: &[Rule] = &[
    process_died,
    error_without_cause,
    failure_taken_for_success,
    retry_not_honored,
    attempts,
    never_ran,
    no_end,
    order,
    late_effect,
    task_outlives_run,
    status_changed,
    output_changed,
    input_differs,
    loop_error,
];

impl<'a> Facts<'a> {
    /// Every stage that has both a declaration and a report.
    fn stages(&self) -> impl Iterator<Item = (&'a StageSpec, &'a StageReport)> {
        let reports: BTreeMap<&str, &StageReport> =
            self.report.stages.iter().map(|stage| (stage.name.as_str(), stage)).collect();
        self.pipeline
            .stages
            .iter()
            .filter_map(move |spec| reports.get(spec.name.as_str()).map(|report| (spec, *report)))
    }

    fn entered_dependents(&self, stage: &str) -> Vec<&'a str> {
        self.stages()
            .filter(|(spec, report)| report.attempts > 0 && spec.after.iter().any(|name| name == stage))
            .map(|(spec, _)| spec.name.as_str())
            .collect()
    }

    /// Whether a run without any failing stage must succeed: names are unique, dependencies exist, no cycle.
    fn well_formed(&self) -> bool {
        if self.pipeline.stages.is_empty() || self.pipeline.check().is_err() {
            return false;
        }
        let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for stage in &self.pipeline.stages {
            waiting.insert(&stage.name, stage.after.iter().map(String::as_str).collect());
            for dependency in &stage.after {
                dependents.entry(dependency).or_default().push(&stage.name);
            }
        }
        let mut ready: Vec<&str> =
            waiting.iter().filter(|(_, on)| on.is_empty()).map(|(name, _)| *name).collect();
        let mut done = 0;
        while let Some(name) = ready.pop() {
            done += 1;
            for dependent in dependents.remove(name).unwrap_or_default() {
                if let Some(on) = waiting.get_mut(dependent)
                    && on.remove(name)
                    && on.is_empty()
                {
                    ready.push(dependent);
                }
            }
        }
        done == self.pipeline.stages.len()
    }
}

/// How the last attempt ended, as the body saw it; `None` while it runs or before it ran.
fn body_end(stage: &StageReport) -> Option<StageStatus> {
    match (&stage.raised, stage.returned) {
        (Some(_), _) if stage.status == StageStatus::Stopped => Some(StageStatus::Stopped),
        (Some(_), _) => Some(StageStatus::Fail),
        (None, returned) => returned,
    }
}

fn succeeded(status: StageStatus) -> bool {
    matches!(status, StageStatus::Ok | StageStatus::Skip)
}

fn row(stage: &StageReport) -> Value {
    json!({
        "stage": stage.name, "status": stage.status, "reported_by_engine": stage.reported,
        "attempts": stage.attempts, "returned": stage.returned, "raised": stage.raised, "error": stage.error,
        "started_ms": stage.started_ms, "ended_ms": stage.ended_ms,
    })
}

fn one(finding: Finding) -> Vec<Finding> {
    vec![finding]
}

fn process_died(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.report.end != RunEnd::Died {
        return Vec::new();
    }
    let how = facts.report.error.clone().unwrap_or_else(|| "the process is gone".to_owned());
    let open: Vec<&str> =
        facts.report.stages.iter().filter(|stage| stage.is_open()).map(|stage| stage.name.as_str()).collect();
    one(Finding::reliability("the process did not survive a run")
        .severity(Severity::High)
        .rule("engine.process_died")
        .key(facts.report.error_type.clone().unwrap_or_default())
        .description(format!("{how}. Stages that were running: {open:?}."))
        .evidence("child process", how, json!({ "running": open, "last_lines": facts.report.last_lines })))
}

fn error_without_cause(facts: &Facts<'_>) -> Vec<Finding> {
    let report = facts.report;
    let unexplained = report.end == RunEnd::Error
        && facts.well_formed()
        && report.stages.iter().all(|stage| {
            matches!(body_end(stage), None | Some(StageStatus::Ok | StageStatus::Skip | StageStatus::Stopped))
                && stage.status != StageStatus::Fail
        });
    if !unexplained {
        return Vec::new();
    }
    let what = report.error_type.clone().unwrap_or_else(|| "an error".to_owned());
    let entered = report.stages.iter().filter(|stage| stage.attempts > 0).count();
    let summary = format!("{what}: {}", report.error.as_deref().unwrap_or("no text"));
    one(Finding::bug(format!("a pipeline in which no stage fails ends with {what}"))
        .severity(Severity::High)
        .rule("engine.error_without_cause")
        .key(what)
        .description(format!(
            "The pipeline is well formed and has no cycle. {entered} of its {} stages were entered and none of \
             them failed, yet the run ended with an error: {summary}.",
            facts.pipeline.stages.len()
        ))
        .evidence("state audit", summary, json!({ "entered": entered, "declared": facts.pipeline.stages.len() })))
}

fn failure_taken_for_success(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.report.end != RunEnd::Ok {
        return Vec::new();
    }
    facts
        .stages()
        .filter(|(_, stage)| matches!(body_end(stage), Some(StageStatus::Fail | StageStatus::Cancel)))
        .map(|(_, stage)| {
            Finding::silent_failure(format!("the run is ok although stage `{}` did not succeed", stage.name))
                .severity(Severity::Critical)
                .rule("engine.failure_taken_for_success")
                .key(&stage.name)
                .description(
                    "A stage failed, raised or cancelled on its last attempt, and the caller is told ok.",
                )
                .evidence("state audit", "the end of the stage against the end of the run", row(stage))
        })
        .collect()
}

fn retry_not_honored(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, stage) in facts.stages().filter(|(_, stage)| body_end(stage) == Some(StageStatus::Retry)) {
        let ran = facts.entered_dependents(&stage.name);
        if facts.report.end != RunEnd::Ok && ran.is_empty() {
            continue;
        }
        let summary = format!(
            "`{}` asked to be run again at attempt {} of {}; the run ended {}; dependents that ran: {ran:?}",
            stage.name, stage.attempts, facts.options.max_attempts, facts.report.end
        );
        findings.push(
            Finding::silent_failure(format!(
                "stage `{}` asked for a retry and was taken for done",
                stage.name
            ))
            .severity(Severity::Critical)
            .rule("engine.retry_not_honored")
            .key(&stage.name)
            .description(format!("{summary}. A stage that asks for a retry has not succeeded."))
            .evidence(
                "state audit",
                summary,
                json!({ "stage": row(stage), "dependents_that_ran": ran }),
            ),
        );
    }
    findings
}

/// How often a stage must be entered if nothing else stops it; `None` where the rules do not say.
fn expected_attempts(spec: &StageSpec, options: &RunOptions) -> Option<u32> {
    let configured = options.max_attempts.max(1);
    match &spec.behavior {
        // A stage that fails by its status says that it is done failing: whether that is retried is the engine's choice.
        Behavior::Flaky { how: FlakyHow::Fail, .. } => None,
        Behavior::Flaky { failures, .. } => Some(failures.saturating_add(1).min(configured)),
        Behavior::Retry { .. } => Some(configured),
        Behavior::Panic { .. } | Behavior::Fail { .. } => None,
        _ => Some(1),
    }
}

fn attempts(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (spec, stage) in facts.stages() {
        // A stage that was stopped or is still running had no chance to use its attempts.
        if stage.attempts == 0 || stage.is_open() || stage.status == StageStatus::Stopped {
            continue;
        }
        // The same fact is a finding of another rule already.
        if body_end(stage) == Some(StageStatus::Retry) && facts.report.end == RunEnd::Ok {
            continue;
        }
        let Some(expected) =
            expected_attempts(spec, facts.options).filter(|expected| *expected != stage.attempts)
        else {
            continue;
        };
        let (few, severity) =
            if stage.attempts < expected { ("less", Severity::High) } else { ("more", Severity::Critical) };
        let summary = format!(
            "`{}` was entered {} times; it needs {expected} with {} attempts configured",
            stage.name, stage.attempts, facts.options.max_attempts
        );
        findings.push(
            Finding::reliability(format!("stage `{}` is run {few} often than configured", stage.name))
                .severity(severity)
                .rule("engine.attempts")
                .key(format!("{} {few}", stage.name))
                .description(format!("{summary}. The body counts its own attempts."))
                .evidence(
                    "metric validation",
                    summary,
                    json!({ "expected": expected, "configured": facts.options.max_attempts, "stage": row(stage) }),
                ),
        );
    }
    findings
}

fn never_ran(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .stages()
        .filter(|(_, stage)| stage.attempts == 0)
        .filter(|(_, stage)| {
            let claimed = stage.reported && stage.status == StageStatus::Ok;
            // An engine may skip a stage by itself: what it reports as skipped is no silent loss.
            claimed
                || (facts.report.end == RunEnd::Ok && !(stage.reported && stage.status == StageStatus::Skip))
        })
        .map(|(_, stage)| {
            let summary = format!(
                "`{}` is reported {} with {}, its body was never entered",
                stage.name,
                stage.status,
                stage.data.as_ref().map_or_else(|| "no data".to_owned(), Value::to_string)
            );
            Finding::silent_failure(format!("stage `{}` never ran and nobody is told", stage.name))
                .severity(Severity::Critical)
                .rule("engine.never_ran")
                .key(&stage.name)
                .description(format!("{summary}. The run ended {}.", facts.report.end))
                .evidence("state audit", summary, json!({ "stage": row(stage), "data": stage.data }))
        })
        .collect()
}

fn no_end(facts: &Facts<'_>) -> Vec<Finding> {
    // A process that died took its stages with it; that is one finding, not one for each of them.
    if facts.report.end == RunEnd::Died {
        return Vec::new();
    }
    facts
        .stages()
        .filter(|(_, stage)| stage.is_open())
        .map(|(_, stage)| {
            Finding::reliability(format!("stage `{}` started and never ended", stage.name))
                .severity(Severity::High)
                .rule("engine.no_end")
                .key(&stage.name)
                .description(format!(
                    "The run ended {} after {:.0} ms; {} ms later the stage was still running.",
                    facts.report.end, facts.report.wall_ms, facts.options.grace_ms
                ))
                .evidence("start/end pairing", "a start without an end", row(stage))
        })
        .collect()
}

fn order(facts: &Facts<'_>) -> Vec<Finding> {
    let reports: BTreeMap<&str, &StageReport> =
        facts.report.stages.iter().map(|stage| (stage.name.as_str(), stage)).collect();
    let mut findings = Vec::new();
    for (spec, stage) in facts.stages() {
        let Some(started) = stage.started_ms.filter(|_| stage.attempts > 0) else { continue };
        for dependency in spec.after.iter().filter_map(|name| reports.get(name.as_str())) {
            let early = dependency.attempts > 0 && dependency.ended_ms.is_none_or(|ended| ended > started);
            // A dependency that asked for a retry belongs to another rule; one that never ran, too.
            let failed = body_end(dependency).is_some_and(|end| !succeeded(end) && end != StageStatus::Retry);
            if !early && !failed {
                continue;
            }
            let why =
                if early { "before its dependency ended" } else { "although its dependency did not succeed" };
            findings.push(
                Finding::bug(format!("stage `{}` runs {why}", stage.name))
                    .severity(Severity::Critical)
                    .rule("engine.order")
                    .key(format!("{} after {}", stage.name, dependency.name))
                    .description(format!(
                        "Stage `{}` comes after `{}` and ran {why}.",
                        stage.name, dependency.name
                    ))
                    .evidence(
                        "state audit",
                        why,
                        json!({ "stage": row(stage), "dependency": row(dependency) }),
                    ),
            );
        }
    }
    findings
}

fn late_effect(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_name: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for effect in facts.report.late_effects() {
        by_name
            .entry(&effect.name)
            .or_default()
            .push(json!({ "stage": effect.stage, "at_ms": effect.at_ms }));
    }
    by_name
        .into_iter()
        .map(|(name, times)| {
            let summary = format!(
                "`{name}` happened {} after the run had ended {} at {:.0} ms",
                if times.len() == 1 { "once".to_owned() } else { format!("{} times", times.len()) },
                facts.report.end,
                facts.report.wall_ms
            );
            Finding::silent_failure(format!("the effect `{name}` happens after the run has ended"))
                .severity(Severity::Critical)
                .rule("engine.late_effect")
                .key(name)
                .description(format!("{summary}. Its caller has already been told how the run ended."))
                .evidence("side effect after completion", summary, json!(times))
        })
        .collect()
}

fn task_outlives_run(facts: &Facts<'_>) -> Vec<Finding> {
    let (at_end, after) = (&facts.report.tasks_at_end, &facts.report.tasks_after_grace);
    if at_end.is_empty() && after.is_empty() {
        return Vec::new();
    }
    let summary = format!(
        "{} tasks were alive when the run ended {}, {} of them {} ms later",
        at_end.len(),
        facts.report.end,
        after.len(),
        facts.options.grace_ms
    );
    one(Finding::reliability("tasks of a run outlive it")
        .severity(Severity::High)
        .rule("engine.task_outlives_run")
        .description(format!("{summary}."))
        .evidence("async leak", summary, json!({ "at_end": at_end, "after_grace": after })))
}

fn status_changed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .stages()
        .filter(|(_, stage)| stage.reported && body_end(stage).is_some_and(|end| end != stage.status))
        .map(|(_, stage)| {
            Finding::silent_failure(format!(
                "the engine reports another status than stage `{}` had",
                stage.name
            ))
            .severity(Severity::High)
            .rule("engine.status_changed")
            .key(&stage.name)
            .description(format!("The engine reports {}.", stage.status))
            .evidence("state audit", "returned against reported", row(stage))
        })
        .collect()
}

fn output_changed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .stages()
        .filter(|(_, stage)| stage.reported && stage.returned.is_some() && stage.returned_data != stage.data)
        .map(|(_, stage)| {
            let data =
                json!({ "stage": stage.name, "returned": stage.returned_data, "reported": stage.data });
            Finding::silent_failure(format!("the output of stage `{}` changes after it returned", stage.name))
                .severity(Severity::Critical)
                .rule("engine.output_changed")
                .key(&stage.name)
                .description(
                    "What the stage returned, copied at that moment, is not what the engine reports.",
                )
                .evidence("state audit", "before/after comparison", data)
        })
        .collect()
}

fn input_differs(facts: &Facts<'_>) -> Vec<Finding> {
    let reports: BTreeMap<&str, &StageReport> =
        facts.report.stages.iter().map(|stage| (stage.name.as_str(), stage)).collect();
    let reads = |spec: &StageSpec| {
        matches!(
            spec.behavior,
            Behavior::Echo
                | Behavior::Sum { .. }
                | Behavior::Increment
                | Behavior::Append { .. }
                | Behavior::AppendCopy { .. }
                | Behavior::Read { .. }
        )
    };
    let mut findings = Vec::new();
    for (spec, stage) in facts.stages().filter(|(spec, stage)| reads(spec) && stage.returned.is_some()) {
        for dependency in spec.after.iter().filter_map(|name| reports.get(name.as_str())) {
            // A dependency that did not return has nothing to be seen; that it was waited for is another rule.
            let Some(returned) = dependency.returned.and(dependency.returned_data.as_ref()) else { continue };
            let seen = stage.seen.get(&dependency.name);
            if seen == Some(returned) {
                continue;
            }
            let data =
                json!({ "reader": stage.name, "of": dependency.name, "returned": returned, "seen": seen });
            findings.push(
                Finding::silent_failure(format!(
                    "stage `{}` sees something else than `{}` returned",
                    stage.name, dependency.name
                ))
                .severity(Severity::Critical)
                .rule("engine.input_differs")
                .key(format!("{} of {}", stage.name, dependency.name))
                .description("What a stage reads of its dependency is not what the dependency returned.")
                .evidence("state audit", "returned against seen", data),
            );
        }
    }
    findings
}

fn loop_error(facts: &Facts<'_>) -> Vec<Finding> {
    let errors = &facts.report.loop_errors;
    if errors.is_empty() {
        return Vec::new();
    }
    one(Finding::silent_failure("an error reached the event loop and nobody else")
        .severity(Severity::High)
        .rule("engine.loop_error")
        .description(errors.join("; "))
        .evidence("event loop", "errors that nobody took", json!(errors)))
}
