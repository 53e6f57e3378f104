//! Telemetry: what the engine says in one place it says in the others.

use serde_json::json;
use stageflow_stress::engine::{Behavior, FlakyHow, PipelineSpec, RunOptions, RunReport, StageSpec};
use stageflow_stress::prelude::*;

use super::{control, stageflow};

/// Files a finding for every kind of event that the log announces and the event sink does not get as often.
fn announced_is_delivered(cx: &TestContext, report: &RunReport, pairs: &[(&str, &str)]) -> usize {
    let mut lost = 0;
    for (logged, event) in pairs {
        let announced = report.log_counts.get(&format!("event:{logged}")).copied().unwrap_or(0);
        let delivered = report.events.iter().filter(|seen| seen.name == *event).count() as u64;
        if announced == delivered {
            continue;
        }
        lost += 1;
        cx.finding(
            Finding::silent_failure("an event that the log announces does not reach the event sink")
                .severity(Severity::High)
                .component("stageflow-core")
                .rule("telemetry.announced_and_delivered")
                .key(*event)
                .description(format!(
                    "The log says {logged} as the engine emits {event}; the sink has another number."
                ))
                .evidence(
                    "log claim against measurement",
                    format!("{logged}: {announced} log records; {event}: {delivered} events"),
                    json!({ "announced": announced, "delivered": delivered }),
                ),
        );
    }
    lost
}

/// Every retry that is logged is also an event: alarms are built on events.
#[roadmap_test("OBS-004", category = Observability, pipeline = Recovery, oracle = Observability)]
async fn every_announced_retry_is_an_event(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let pipeline =
        PipelineSpec::new("raises once").stage(StageSpec::new("pay", Behavior::flaky(1, FlakyHow::Raise)));
    let report = control(cx, &worker, &pipeline, &RunOptions::new().max_attempts(2)).await?;
    cx.check("the engine retried and said so", report.log_counts.contains_key("event:retry_scheduled"));
    announced_is_delivered(cx, &report, &[("retry_scheduled", "stage.retry_scheduled")]);
    Ok(())
}

/// The control: events do reach the sink.
#[roadmap_test("OBS-004", category = Observability, pipeline = Baseline, oracle = Observability)]
async fn a_skipped_stage_is_an_event(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let skip = Behavior::Skip { reason: "nothing to do".to_owned() };
    let pipeline = PipelineSpec::new("skips").stage(StageSpec::new("tidy", skip));
    let report = control(cx, &worker, &pipeline, &RunOptions::new()).await?;
    let skipped = report.events.iter().filter(|event| event.name == "stage.tidy.skipped").count();
    cx.check_eq("events of the skip", skipped, 1);
    Ok(())
}
