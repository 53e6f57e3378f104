//! CHAOS-002, dependency flap: while a dependency goes and comes back, requests succeed rightly or fail honestly, and once it is back
//! for good all of them succeed, the circuit breaker notwithstanding.
//!
//! To adapt: replace `search` by a request of your own that goes through `faults.site(..)` or a port. Whatever comes back as a success
//! is compared with what it must be: an empty answer is the way in which engines pretend.
//!
//! Red with: `FailedEnrichIsOk`, `OpenBreakerIsOk`, `BreakerNeverCloses`.

use std::time::Duration;

use miniflow::{BreakerPolicy, Graph, Kind, Resources, RunConfig, Snapshot};
use serde_json::{Value, json};
use stageflow_stress::fault::{Faults, InjectedError};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{data, graph, output, permanent, stage, transient};

const RESET: Duration = Duration::from_millis(50);

/// A graph whose only stage asks the index, which it finds among the run's resources.
fn searching() -> Outcome<Graph> {
    let look_up = stage("look up", |ctx| async move {
        let faults = ctx.resources().get::<Faults>().ok_or_else(|| permanent("there is no index"))?;
        let query = ctx.snapshot().data()["query"].clone();
        let hits = faults.site("index").run(|| async { Ok::<_, InjectedError>(json!([query])) }).await;
        hits.map(|hits| output([("hits", hits)])).map_err(transient)
    });
    Ok(graph("searching").stage(look_up.kind(Kind::Enrich)).build()?)
}

async fn search(graph: Graph, faults: Faults, query: u64) -> Result<Value, String> {
    // Some time passes between requests; once the index is back for good, more than the breaker stays open.
    tokio::time::sleep(if faults.is_healed() { RESET * 2 } else { RESET / 4 }).await;
    let config = RunConfig {
        snapshot: Snapshot::new(data([("query", json!(query))])),
        breaker: Some(BreakerPolicy { failures: 2, reset: RESET }),
        resources: Resources::new(faults),
        ..RunConfig::default()
    };
    let result = graph.run(config).await;
    if !result.succeeded() {
        return Err(result.error.unwrap_or_default());
    }
    Ok(result.outputs["look up"].data.get("hits").cloned().unwrap_or_default())
}

#[roadmap_test("CHAOS-002", category = Reliability, pipeline = Chaos, oracle(StateChange, Timing), flavor = "current_thread", start_paused)]
async fn a_flapping_index_is_never_pretended_away(cx: &TestContext) -> Outcome {
    let graph = searching()?;
    // Two calls down, two up, three times; then it stays up.
    let report = scenario::dependency_flap(
        "index",
        (2, 2, 3),
        |faults, query| search(graph.clone(), faults, query),
        |query, hits| *hits == json!([query]),
    )
    .await?;
    cx.metric("requests that met the index while it was down", report.delivered as f64, "requests");
    Ok(())
}
