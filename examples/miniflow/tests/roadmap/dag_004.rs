//! DAG-004, starvation: under a steady load of greater priority everybody of low priority has each turn within a stated wait.
//!
//! To adapt: let `turn` go through your own scheduler, queue or pool. The clock is paused, so a second of load costs nothing.
//!
//! Red with: `PoolNeverAges`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{Graph, Resources, RunConfig, Snapshot};
use serde_json::json;
use stageflow_stress::oracle::{Waited, no_starvation};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;
use tokio::time::{Instant, sleep};

use crate::pool::Pool;
use crate::support::{data, graph, output, permanent, stage};

const TURN: Duration = Duration::from_millis(10);
/// Twenty-five turns of others.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
const LOW: u64 = 2;

type Noted = Arc<Mutex<Vec<Waited>>>;

/// A stage that takes one turn, by the priority of its run.
fn taking_turns(began: Instant) -> Outcome<Graph> {
    let take = stage("take a turn", move |ctx| async move {
        let (pool, noted) =
            ctx.resources().get::<(Pool, Noted)>().ok_or_else(|| permanent("there is no pool"))?;
        let priority = ctx.snapshot().data()["priority"].as_i64().unwrap_or_default();
        let since = began.elapsed();
        let turn = pool.turn(priority).await;
        noted.lock().unwrap().push(Waited::new(ctx.run_id(), priority, since, Some(began.elapsed())));
        sleep(TURN).await;
        drop(turn);
        Ok(output([]))
    });
    Ok(graph("taking turns").stage(take).build()?)
}

#[roadmap_test("DAG-004", category = Reliability, pipeline = Stress, oracle(Timing, Bounds), flavor = "current_thread", start_paused)]
async fn nobody_waits_for_ever(cx: &TestContext) -> Outcome {
    let (began, noted) = (Instant::now(), Noted::default());
    let graph = taking_turns(began)?;
    let shared = (Pool::new(1), Arc::clone(&noted));
    // The first two are of low priority; six of greater priority come again as soon as they were served.
    let turn = move |party: u64, _| {
        let (graph, shared) = (graph.clone(), shared.clone());
        async move {
            let priority = if party < LOW { 0 } else { 1 };
            let config = RunConfig {
                snapshot: Snapshot::new(data([("priority", json!(priority))])),
                resources: Resources::new(shared),
                ..RunConfig::default()
            };
            let result = graph.run(config).await;
            if result.succeeded() { Ok(()) } else { Err(result.error.unwrap_or_default()) }
        }
    };
    let parties = scenario::contention(LOW + 6, 40, LONGEST_WAIT, turn).await?;
    cx.check_eq("turns of each", parties.iter().map(|party| party.done).collect::<Vec<_>>(), vec![40; 8]);
    let low: Vec<_> = noted.lock().unwrap().iter().filter(|one| one.priority == 0).cloned().collect();
    cx.verdict("nobody of low priority starves", &no_starvation(&low, LONGEST_WAIT, began.elapsed()));
    Ok(())
}
