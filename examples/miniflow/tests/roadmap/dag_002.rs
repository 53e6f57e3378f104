//! DAG-002, priority inversion in shared pools: an urgent stage waits no longer than the one turn that is being taken, whatever else
//! came before it.
//!
//! To adapt: let your own stages ask your pool, lock or queue for their turn, and note when each began to wait and when its turn came.
//! The clock is paused, so the times are exact.
//!
//! Red with: `PoolIsFirstComeFirstServed`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{Resources, RunConfig, StageDef};
use stageflow_stress::oracle::{Waited, no_priority_inversion, timing};
use stageflow_stress::prelude::*;
use tokio::time::{Instant, sleep};

use crate::pool::Pool;
use crate::support::{graph, output, permanent, stage};

const TURN: Duration = Duration::from_millis(100);
/// A timer fires at the next full millisecond.
const TICK: Duration = Duration::from_millis(2);

type Noted = Arc<Mutex<Vec<Waited>>>;

/// A stage that wants the pool after some time.
fn wants(name: &'static str, priority: i64, after: u64, began: Instant) -> StageDef {
    stage(name, move |ctx| async move {
        let (pool, noted) =
            ctx.resources().get::<(Pool, Noted)>().ok_or_else(|| permanent("there is no pool"))?;
        sleep(Duration::from_millis(after)).await;
        let since = began.elapsed();
        let turn = pool.turn(priority).await;
        noted.lock().unwrap().push(Waited::new(name, priority, since, Some(began.elapsed())));
        sleep(TURN).await;
        drop(turn);
        Ok(output([]))
    })
}

#[roadmap_test("DAG-002", category = Performance, pipeline = Stress, oracle = Timing, flavor = "current_thread", start_paused)]
async fn what_is_urgent_is_next(cx: &TestContext) -> Outcome {
    let (began, noted) = (Instant::now(), Noted::default());
    let graph = graph("a pool of one")
        .stage(wants("low", 0, 0, began))
        .stage(wants("medium 1", 5, 10, began))
        .stage(wants("medium 2", 5, 11, began))
        .stage(wants("medium 3", 5, 12, began))
        .stage(wants("urgent", 9, 20, began))
        .build()?;
    let resources = Resources::new((Pool::new(1), Arc::clone(&noted)));
    let result = graph.run(RunConfig { resources, ..RunConfig::default() }).await;
    cx.check("every stage has its turn", result.succeeded());

    let noted = noted.lock().unwrap().clone();
    cx.check_eq("turns", noted.len(), 5);
    cx.verdict("nothing goes before what is more urgent", &no_priority_inversion(&noted, TICK));
    let urgent = noted.iter().find(|one| one.name == "urgent");
    let waited = urgent.and_then(|one| Some(one.until? - one.since));
    cx.verdict("the urgent stage waits for one turn at most", &timing(&[("urgent", waited, TURN + TICK)]));
    Ok(())
}
