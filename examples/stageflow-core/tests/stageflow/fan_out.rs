//! Width: many stages side by side, and one that joins them.

use serde_json::json;
use stageflow_stress::engine::{Behavior, PipelineSpec, RunEnd, RunOptions, StageKind, StageSpec};
use stageflow_stress::prelude::*;

use super::{control, stageflow};

/// Merging the outputs of 500 parallel stages loses nothing.
#[roadmap_test("DAG-005", category = Scalability, pipeline = Stress, oracle = Consistency)]
async fn fan_out_keeps_every_output(cx: &TestContext) -> Outcome {
    let width = 500_u64;
    let names: Vec<String> = (0..width).map(|n| format!("n{n:03}")).collect();
    let mut pipeline = PipelineSpec::new("fan-out");
    for (n, name) in (0..width).zip(&names) {
        pipeline = pipeline.stage(StageSpec::new(name, Behavior::emit("value", n)).kind(StageKind::Enrich));
    }
    let pipeline = pipeline.stage(StageSpec::new("sum", Behavior::sum("value")).after(&names));

    let worker = stageflow(cx).await?;
    let report = cx.measure("fan-out of 500", control(cx, &worker, &pipeline, &RunOptions::new())).await?;
    cx.check_eq("the run is ok", report.end, RunEnd::Ok);
    let sum = report.stage("sum").ok_or_else(|| Failure::new("the sum has a report"))?;
    cx.check_eq(
        "every stage was entered once",
        report.stages.iter().map(|s| u64::from(s.attempts)).sum::<u64>(),
        width + 1,
    );
    cx.golden("sum", &json!({ "stages": report.stages.len(), "sum": sum.data }));
    cx.metric("wall time in the engine", report.wall_ms, "ms");
    Ok(())
}
