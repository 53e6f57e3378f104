//! CORE-007, memory of a long session: thousands of turns over one engine leave nothing behind, neither what the engine counts nor
//! megabytes of the process.
//!
//! To adapt: make one turn of your own session in place of `turn`, and measure what your engine says it holds. Growth is a slope with
//! its interval: it is bounded only if the whole interval is below the limit.
//!
//! Red with: `FinishedRunsAreKept`, `SessionKeepsEverything`.

use std::cell::RefCell;
use std::time::Duration;

use miniflow::{Graph, RunConfig, Snapshot};
use serde_json::json;
use stageflow_stress::prelude::*;
use stageflow_stress::resources::Resource;
use stageflow_stress::scenario;

use crate::support::{data, graph, is_broken, output, stage};

const TURNS: u64 = 4_000;

fn conversation() -> Outcome<Graph> {
    let answer = stage("answer", |ctx| async move {
        let text = ctx.snapshot().data()["text"].as_str().map(str::to_uppercase);
        Ok(output([("text", json!(text))]))
    });
    let remember = stage("remember", |ctx| async move { Ok(output([("length", json!(ctx.get("text")))])) });
    Ok(graph("conversation").stage(answer).stage(remember.after("answer")).build()?)
}

#[roadmap_test("CORE-007", category = Performance, pipeline = Stress, oracle = Bounds, timeout = "120s")]
async fn a_long_session_leaves_nothing_behind(cx: &TestContext) -> Outcome {
    let graph = conversation()?;
    let watch = cx.watch_resources("session", Duration::from_millis(5))?;
    let kept = RefCell::new(Vec::new());
    let turn = async |n: u64| {
        let text = format!("turn {n} ").repeat(2_000);
        let snapshot = Snapshot::new(data([("text", json!(text))]));
        let result = graph.run(RunConfig { snapshot, ..RunConfig::default() }).await;
        watch.turn();
        let (ok, error) = (result.succeeded(), result.error.clone());
        if is_broken("SessionKeepsEverything") {
            kept.borrow_mut().push(result);
        }
        if ok { Ok(()) } else { Err(error.unwrap_or_default()) }
    };
    let growth = scenario::long_session(TURNS, 1.0, || graph.active_runs() as f64, turn).await?;
    cx.check_eq("turns", growth.turns, TURNS);
    let usage = watch.finish();
    let growth = usage.without_first(0.3).per_1000_turns(Resource::Memory)?;
    cx.is_below("memory of the session", growth, Measurement::megabytes_per_1000_turns(5.0));
    Ok(())
}
