//! DAG-005, fan-out: 500 stages side by side all run once, the stage that joins them has every output, and the time does not grow with
//! the square of the width.
//!
//! To adapt: this page runs on any engine behind the SDK's `Engine` (an adapter of about 60 lines, or `Worker` for Python): put yours
//! in place of `Miniflow`. `run_pipeline` audits the report by what holds for every pipeline.
//!
//! Red with: `DependencyCountWraps`, `LostUpdateInBag`, `EmptyOutputIsNothing`.

use std::time::Duration;

use stageflow_stress::engine::{Behavior, Engine as _, RunOptions, StageSpec};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::adapter::Miniflow;
use crate::support::defects;

const WIDTH: u64 = 500;

#[roadmap_test("DAG-005", category = Scalability, pipeline = Stress, oracle(Consistency, Timing, SideEffect), timeout = "120s")]
async fn five_hundred_branches_are_joined(cx: &TestContext) -> Outcome {
    let engine = Miniflow { defects: defects() };
    let options = RunOptions::new().grace(Duration::ZERO);
    // One branch has nothing to say: that is an output, too.
    let silent = StageSpec::new("silent", Behavior::Const { data: serde_json::Map::new() }).after(["source"]);
    let pipeline = scenario::fan_out_pipeline(WIDTH).stage(silent);
    let report = cx.measure("fan-out", scenario::run_pipeline(&engine, &pipeline, &options)).await?;

    let branches = report.stages.iter().filter(|stage| stage.name.starts_with("branch-"));
    let ran = branches.filter(|stage| stage.attempts == 1).count();
    cx.meets_target(Measurement::count(ran as f64));
    let sum = report.stage("join").and_then(|join| join.data.as_ref()?["sum"].as_u64());
    cx.check_eq("the join has every output", sum, Some((0..WIDTH).sum()));
    cx.check("the silent branch is reported", report.stage("silent").is_some_and(|stage| stage.reported));

    let scaling = cx
        .scaling("fan-out", [50, 100, 200, 400], 3, |width| {
            let (pipeline, options) = (scenario::fan_out_pipeline(width), options.clone());
            async move { engine.run(&pipeline, &options).await.map(|report| report.end) }
        })
        .await;
    cx.check("it is not shown to be worse than quadratic", scaling.exponent()?.interval.low < 2.0);
    Ok(())
}
