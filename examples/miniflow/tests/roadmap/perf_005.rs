//! PERF-005, latency profile: P50, P95 and P99 of the response time at a rate that must be borne, timed from the plan, with intervals,
//! and compared with earlier runs on the same machine.
//!
//! To adapt: put one request of your own in place of `checkout`, and your own rate and bound. Arrivals are independent of each other, as
//! users are; the generator has a thread of its own, and a load that it could not generate is red and no figure.
//!
//! Red with: `OneAtATime`.

use std::time::Duration;

use miniflow::{Graph, Kind, RunConfig, Snapshot};
use serde_json::json;
use stageflow_stress::prelude::*;

use crate::support::{data, graph, is_broken, output, stage};

/// How late the generator may be before a load counts as invalid. Response times count from the plan, so its lag is in them: a
/// generous value makes figures worse, never better. On a machine of your own, leave it out.
pub const SHARED_MACHINE: Duration = Duration::from_millis(500);

static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Three stages in a row. Broken, all runs stand in one line.
pub fn checking_out() -> Outcome<Graph> {
    let price = stage("price", |ctx| async move {
        Ok(output([(
            "cents",
            json!(ctx.snapshot().data()["order"].as_u64().unwrap_or_default() % 1_000 + 1),
        )]))
    });
    let charge = stage("charge", |ctx| async move {
        if is_broken("OneAtATime") {
            let _alone = ONE.lock().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(output([("charged", json!(ctx.get("cents")))]))
    });
    let confirm =
        stage("confirm", |ctx| async move { Ok(output([("confirmed", json!(ctx.get("charged")))])) });
    Ok(graph("checkout")
        .stage(price.kind(Kind::Enrich))
        .stage(charge.kind(Kind::Work).after("price"))
        .stage(confirm.after("charge"))
        .build()?)
}

/// One run, whose answer must be its own.
pub async fn checkout(graph: Graph, order: u64) -> Result<(), String> {
    let snapshot = Snapshot::new(data([("order", json!(order))]));
    let result = graph.run(RunConfig { snapshot, ..RunConfig::default() }).await;
    let confirmed = result.outputs.get("confirm").and_then(|confirm| confirm.data.get("confirmed"));
    match confirmed {
        Some(cents) if *cents == json!(order % 1_000 + 1) => Ok(()),
        other => Err(format!("order {order} is confirmed with {other:?}: {:?}", result.error)),
    }
}

#[roadmap_test("PERF-005", category = Performance, pipeline = Stress, oracle = Timing, timeout = "120s")]
async fn percentiles_at_a_planned_rate(cx: &TestContext) -> Outcome {
    let graph = checking_out()?;
    let load = cx.load("checkout").poisson(100.0).for_(Duration::from_secs(5)).max_lag(SHARED_MACHINE);
    let report = load.run(move |op| checkout(graph.clone(), op.index())).await?;
    for (name, q) in [("P50", 0.5), ("P95", 0.95), ("P99", 0.99)] {
        let percentile = report.response().percentile(q)?;
        cx.is_below(&format!("{name} of the response time"), percentile, Measurement::seconds(1.0));
    }
    // Undecided below five earlier runs; from then on a slower version is red.
    cx.compare_with_earlier(&report);
    Ok(())
}
