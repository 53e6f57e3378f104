//! The rules about stages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Facts, body_end, row, succeeded};
use crate::classify::Severity;
use crate::engine::{Behavior, FlakyHow, Hook, RunEnd, RunOptions, StageReport, StageSpec, StageStatus};
use crate::finding::Finding;

pub(super) fn failure_taken_for_success(facts: &Facts<'_>) -> Vec<Finding> {
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

pub(super) fn retry_not_honored(facts: &Facts<'_>) -> Vec<Finding> {
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
        Behavior::Flaky { failures: 1.., how: FlakyHow::Permanent } => Some(1),
        Behavior::Flaky { failures, .. } => Some(failures.saturating_add(1).min(configured)),
        Behavior::Retry { .. } => Some(configured),
        Behavior::Panic { .. } | Behavior::Fail { .. } | Behavior::FailIf { .. } => None,
        // These fail if what they call fails.
        Behavior::Tool { .. } | Behavior::Sub { .. } => None,
        _ => Some(1),
    }
}

/// Whether the run was ended from outside or by another stage than this one.
fn ended_by_another(facts: &Facts<'_>, spec: &StageSpec) -> bool {
    matches!(facts.report.end, RunEnd::Cancelled | RunEnd::Timeout)
        || facts.options.interrupt.is_some()
        || facts.stages().any(|(other, stage)| {
            other.name != spec.name
                && matches!(body_end(stage), Some(StageStatus::Fail | StageStatus::Cancel))
        })
}

pub(super) fn attempts(facts: &Facts<'_>) -> Vec<Finding> {
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
        if facts.may_be_sent_back() || facts.overruled(spec) {
            continue;
        }
        let Some(expected) =
            expected_attempts(spec, facts.options).filter(|expected| *expected != stage.attempts)
        else {
            continue;
        };
        // It waited for its next attempt when something else ended the run.
        if stage.attempts < expected && ended_by_another(facts, spec) {
            continue;
        }
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

/// Whether an interceptor answers in place of the stage.
fn answered(facts: &Facts<'_>, spec: &StageSpec) -> bool {
    facts.options.interceptors.iter().any(|interceptor| {
        matches!(interceptor.before, Hook::Answer { .. })
            && interceptor.on.as_ref().is_none_or(|on| *on == spec.name)
    })
}

pub(super) fn never_ran(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .stages()
        .filter(|(spec, stage)| stage.attempts == 0 && !answered(facts, spec))
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

pub(super) fn no_end(facts: &Facts<'_>) -> Vec<Finding> {
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

pub(super) fn order(facts: &Facts<'_>) -> Vec<Finding> {
    let reports: BTreeMap<&str, &StageReport> =
        facts.report.stages.iter().map(|stage| (stage.name.as_str(), stage)).collect();
    let mut findings = Vec::new();
    for (spec, stage) in facts.stages() {
        let Some(started) = stage.started_ms.filter(|_| stage.attempts > 0) else { continue };
        for dependency in spec.after.iter().filter_map(|name| reports.get(name.as_str())) {
            // Work that was sent back runs again after the first start of those who judge it.
            if facts.may_be_sent_back() && dependency.attempts > 1 {
                continue;
            }
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

pub(super) fn status_changed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .stages()
        .filter(|(spec, stage)| {
            stage.reported && !facts.overruled(spec) && body_end(stage).is_some_and(|end| end != stage.status)
        })
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

pub(super) fn output_changed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .stages()
        .filter(|(spec, stage)| {
            let kept = stage.status == StageStatus::Ok || !facts.overruled(spec);
            stage.reported && kept && stage.returned.is_some() && stage.returned_data != stage.data
        })
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

pub(super) fn input_differs(facts: &Facts<'_>) -> Vec<Finding> {
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
            // It read before the work was sent back, and was not asked again.
            if facts.may_be_sent_back() && dependency.ended_ms > stage.ended_ms {
                continue;
            }
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
