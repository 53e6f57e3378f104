//! Immutability: what a stage returned stays what it was, whoever reads it.

use std::time::Duration;

use serde_json::json;
use stageflow_stress::engine::{Behavior, PipelineSpec, RunEnd, RunOptions, StageSpec};
use stageflow_stress::prelude::*;

use super::{audited, control, stageflow};

/// One source, a branch that adds to what it reads, and a branch that reads a little later.
fn branches(name: &str, add: Behavior) -> PipelineSpec {
    PipelineSpec::new(name)
        .stage(StageSpec::new("source", Behavior::emit("items", json!(["ordered"]))))
        .stage(StageSpec::new("adds", add).after(["source"]).sleep(Duration::from_millis(10)))
        .stage(
            StageSpec::new("reads", Behavior::read("items"))
                .after(["source"])
                .sleep(Duration::from_millis(60)),
        )
}

/// A branch that changes its input in place changes nobody else's.
#[roadmap_test("CORE-008", category = Correctness, pipeline = Adversarial, oracle = StateChange)]
async fn a_branch_cannot_change_what_another_reads(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let pipeline = branches("in place", Behavior::append("items", "smuggled"));
    let report = audited(cx, &worker, &pipeline, &RunOptions::new()).await?;
    cx.check_eq("the run is ok", report.end, RunEnd::Ok);
    Ok(())
}

/// The control: with a branch that copies first, every reader sees what was returned.
#[roadmap_test("CORE-008", category = Correctness, pipeline = Baseline, oracle = StateChange)]
async fn a_branch_that_copies_first_changes_nothing(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let pipeline = branches("on a copy", Behavior::append_copy("items", "added"));
    let report = control(cx, &worker, &pipeline, &RunOptions::new()).await?;
    let read = report.stage("reads").and_then(|stage| stage.data.clone());
    cx.check_eq("the reader sees the source", read, Some(json!({ "items": ["ordered"] })));
    Ok(())
}
