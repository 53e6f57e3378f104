//! Determinism: the speed of stages does not change what a pipeline computes.

use std::time::Duration;

use stageflow_stress::engine::{Behavior, PipelineSpec, RunOptions, StageSpec, compare};
use stageflow_stress::prelude::*;

use super::{control, stageflow};

/// Two stages return the same key; a third looks it up.
fn lookup(slow: &str, keys: [&str; 2]) -> PipelineSpec {
    let sleep = |name: &str| Duration::from_millis(if name == slow { 50 } else { 0 });
    PipelineSpec::new(format!("{slow} is slow"))
        .stage(StageSpec::new("cache", Behavior::emit(keys[0], "from cache")).sleep(sleep("cache")))
        .stage(StageSpec::new("store", Behavior::emit(keys[1], "from store")).sleep(sleep("store")))
        .stage(StageSpec::new("reads", Behavior::read("price")).after(["cache", "store"]))
}

async fn both(cx: &TestContext, keys: [&str; 2]) -> Outcome<Vec<Finding>> {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new();
    let first = control(cx, &worker, &lookup("store", keys), &options).await?;
    let second = control(cx, &worker, &lookup("cache", keys), &options).await?;
    Ok(compare("speed of stages", &first, &second))
}

/// A look-up by key has one answer, whichever dependency was faster.
#[roadmap_test("CORE-001", category = Correctness, pipeline = Stress, oracle = Consistency)]
async fn the_speed_of_stages_does_not_matter(cx: &TestContext) -> Outcome {
    for finding in both(cx, ["price", "price"]).await? {
        cx.finding(finding.component("stageflow-core"));
    }
    Ok(())
}

/// The control: with keys of their own there is nothing to choose.
#[roadmap_test("CORE-001", category = Correctness, pipeline = Baseline, oracle = Consistency)]
async fn keys_of_their_own_are_looked_up_alike(cx: &TestContext) -> Outcome {
    cx.check_eq("the runs do not differ", both(cx, ["price", "stock"]).await?, Vec::<Finding>::new());
    Ok(())
}
