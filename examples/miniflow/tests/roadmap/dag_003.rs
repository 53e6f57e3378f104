//! DAG-003, livelock in correction loops: work that a guard sends back again and again is done anew each time, ends at its limit with
//! a failure that names the guard, and a correction that helps ends the loop.
//!
//! To adapt: put your own agent and guard in. Count what the agent does at its own place, and not in what the engine reports.
//!
//! Red with: `GuardIsAskedOnceMore`, `ExhaustedGuardPasses`, `GuardRetrySkipsTheStage`, `FirstOutputStays`.

use std::time::Duration;

use miniflow::{Graph, GuardRetryPolicy, Kind, RunConfig};
use serde_json::{Value, json};
use stageflow_stress::effects::Effects;
use stageflow_stress::oracle::{Limit, bounds};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{graph, output, permanent, stage};

const LIMIT: u32 = 3;

/// An agent that writes drafts, and a guard that likes the draft of this number.
fn correcting(drafts: &Effects, liked: u64) -> Outcome<Graph> {
    let drafts = drafts.clone();
    let write = stage("write", move |_| {
        let drafts = drafts.clone();
        async move {
            drafts.record("draft");
            Ok(output([("draft", json!(drafts.count()))]))
        }
    });
    let check = stage("check", move |ctx| async move {
        match ctx.get_from("write", "draft") {
            Some(draft) if draft == json!(liked) => Ok(output([("accepted", draft)])),
            other => Err(permanent(format!("draft {} is not good enough", other.unwrap_or_default()))),
        }
    });
    let again =
        GuardRetryPolicy { guard: "check".to_owned(), retry_stage: "write".to_owned(), max_attempts: LIMIT };
    let write = write.kind(Kind::Agent);
    Ok(graph("correcting")
        .stage(write)
        .stage(check.kind(Kind::Guard).after("write"))
        .guard_retry(again)
        .build()?)
}

async fn run(graph: &Graph) -> Result<Value, String> {
    let result = graph.run(RunConfig::default()).await;
    if !result.succeeded() {
        return Err(result.error.unwrap_or_default());
    }
    Ok(result.outputs["check"].data.get("accepted").cloned().unwrap_or_default())
}

#[roadmap_test("DAG-003", category = Reliability, pipeline = Chaos, oracle(Bounds, Timing))]
async fn a_correction_that_never_helps_ends(cx: &TestContext) -> Outcome {
    let drafts = cx.effects("drafts");
    let hopeless = correcting(&drafts, u64::MAX)?;
    let error = scenario::loop_limit(Duration::from_secs(20), "check", run(&hopeless)).await?;
    let attempts = Limit::new("attempts", u64::from(LIMIT), drafts.count() as u64, Some("attempts"));
    cx.verdict("there are as many drafts as attempts", &bounds(&[attempts]));
    cx.check("the error is about the last draft", error.contains("draft 3 "));

    let drafts = cx.effects("drafts until one is liked");
    let accepted = run(&correcting(&drafts, 2)?).await;
    cx.check_eq("a correction that helps ends the loop", accepted, Ok(json!(2)));
    Ok(())
}
