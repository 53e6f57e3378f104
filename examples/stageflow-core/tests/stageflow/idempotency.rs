//! Idempotency: a request under one key happens once, and all of it.

use stageflow_stress::engine::{Behavior, PipelineSpec, RunEnd, RunOptions, StageKind, StageSpec};
use stageflow_stress::prelude::*;

use super::{audited, control, stageflow};

/// Two stages with a side effect each.
fn order(name: &str) -> PipelineSpec {
    PipelineSpec::new(name)
        .stage(
            StageSpec::new("reserve", Behavior::emit("reserved", 3)).kind(StageKind::Work).effect("reserved"),
        )
        .stage(
            StageSpec::new("charge", Behavior::emit("charged", 90))
                .kind(StageKind::Work)
                .after(["reserve"])
                .effect("charged"),
        )
}

/// The key protects a request from being done twice; it must not keep parts of it from being done at all.
#[roadmap_test("WORK-002", category = SilentFailures, pipeline = Stress, oracle = Idempotency)]
async fn every_stage_of_a_request_with_a_key_runs(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new().idempotency_key("order 7");
    let report = audited(cx, &worker, &order("an order with a key"), &options).await?;
    cx.check_eq("reserved", report.effect_count("reserved"), 1);
    Ok(())
}

/// The same request again has no effect again.
#[roadmap_test("WORK-002", category = SilentFailures, pipeline = Stress, oracle = Idempotency)]
async fn a_repeated_request_has_its_effects_once(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let pipeline = PipelineSpec::new("one charge").stage(
        StageSpec::new("charge", Behavior::emit("charged", 90)).kind(StageKind::Work).effect("charged"),
    );
    let options = RunOptions::new().idempotency_key("order 8");
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push(worker.run(&pipeline, &options).await?.effect_count("charged"));
    }
    let total: usize = times.iter().sum();
    if total > 1 {
        cx.finding(
            Finding::silent_failure("a repeated request has its effects again")
                .severity(Severity::Critical)
                .component("stageflow-core")
                .rule("idempotency.duplicate_effect")
                .key("charged")
                .description(
                    "The same pipeline was run three times under one idempotency key, one after the other.",
                )
                .evidence("side-effect count", format!("charged {total} times"), serde_json::json!(times)),
        );
    }
    cx.check("charged at all", total >= 1);
    Ok(())
}

/// The control: without a key every stage runs, every time.
#[roadmap_test("WORK-002", category = Correctness, pipeline = Baseline, oracle = SideEffect)]
async fn without_a_key_every_stage_runs(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let report = control(cx, &worker, &order("an order without a key"), &RunOptions::new()).await?;
    cx.check_eq("the run is ok", report.end, RunEnd::Ok);
    cx.check_eq("charged", report.effect_count("charged"), 1);
    Ok(())
}
