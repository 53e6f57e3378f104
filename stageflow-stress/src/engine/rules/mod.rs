//! The rules of [`super::audit`], one function each: those about a run as a whole here, those about its stages beside.

mod stages;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Hook, PipelineSpec, RunEnd, RunOptions, RunReport, StageReport, StageSpec, StageStatus};
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
    stages::failure_taken_for_success,
    stages::retry_not_honored,
    stages::attempts,
    stages::never_ran,
    stages::no_end,
    stages::order,
    late_effect,
    task_outlives_run,
    stages::status_changed,
    stages::output_changed,
    stages::input_differs,
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

    /// Whether something beside the bodies of the stages may decide how they end: deadlines, contracts, interceptors, a
    /// breaker. What a stage returned is then not the last word on it.
    fn overruled(&self, spec: &StageSpec) -> bool {
        let hooked = |hook: &Hook| !matches!(hook, Hook::Pass);
        let acts = self.options.interceptors.iter().any(|interceptor| {
            interceptor.on.as_ref().is_none_or(|on| *on == spec.name)
                && (hooked(&interceptor.before) || hooked(&interceptor.after))
        });
        acts || spec.timeout_ms.is_some() || !spec.returns.is_empty() || self.options.breaker.is_some()
    }

    /// Whether stages may be run again because a guard sent the work back. Which of them lie on the way is not looked at.
    fn may_be_sent_back(&self) -> bool {
        !self.pipeline.guard_retries.is_empty()
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
    let hang = facts.report.error_type.as_deref() == Some("hang");
    let title =
        if hang { "a run hangs until its process is killed" } else { "the process did not survive a run" };
    one(Finding::reliability(title)
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
        && !facts.pipeline.stages.iter().any(|stage| facts.overruled(stage))
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
