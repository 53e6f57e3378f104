//! Depth: a chain of stages, each of which adds one to what its predecessor returned.

use serde_json::json;
use stageflow_stress::engine::{Behavior, PipelineSpec, RunEnd, RunOptions, StageSpec, compare};
use stageflow_stress::prelude::*;

use super::{audited, control, stageflow};

const DEPTH: usize = 1000;

fn chain(depth: usize) -> PipelineSpec {
    let mut pipeline = PipelineSpec::new("chain").stage(StageSpec::new("s0", Behavior::Increment));
    for n in 1..depth {
        let stage = StageSpec::new(format!("s{n}"), Behavior::Increment).after([format!("s{}", n - 1)]);
        pipeline = pipeline.stage(stage);
    }
    pipeline
}

/// A chain of 1000 stages counts to 1000.
#[roadmap_test("DAG-006", category = Scalability, pipeline = Stress, oracle = Bounds)]
async fn a_deep_chain_counts_its_stages(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let report = control(cx, &worker, &chain(DEPTH), &RunOptions::new()).await?;
    let last = report.stage("s999").and_then(|stage| stage.data.clone());
    cx.check_eq("the last stage counts them all", last, Some(json!({ "value": DEPTH })));
    Ok(())
}

/// The order in which stages are declared does not matter: only their dependencies do.
#[roadmap_test("DAG-006", category = Correctness, pipeline = Stress, oracle = Consistency)]
async fn the_order_of_declaration_does_not_matter(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new();
    let forward = worker.run(&chain(DEPTH), &options).await?;
    let backward = audited(cx, &worker, &chain(DEPTH).reversed(), &options).await?;
    cx.check_eq("the forward chain is ok", forward.end, RunEnd::Ok);
    for finding in compare("order of declaration", &forward, &backward) {
        cx.finding(finding.component("stageflow-core"));
    }
    Ok(())
}

/// The control: a chain of a hundred stages runs in either order, with the same result.
#[roadmap_test("DAG-006", category = Correctness, pipeline = Baseline, oracle = Consistency)]
async fn a_short_chain_runs_in_either_order(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new();
    let forward = control(cx, &worker, &chain(100), &options).await?;
    let backward = control(cx, &worker, &chain(100).reversed(), &options).await?;
    cx.check_eq(
        "the runs do not differ",
        compare("order of declaration", &forward, &backward),
        Vec::<Finding>::new(),
    );
    Ok(())
}
