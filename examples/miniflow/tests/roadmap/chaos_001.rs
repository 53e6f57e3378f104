//! CHAOS-001, latency injection: a run becomes later by what its calls in a row became later, and by no more; where a call takes too
//! long, its deadline is kept, attempt by attempt, and nothing of the call happens afterwards.
//!
//! To adapt: wrap each dependency of yours in a port and give its faults a latency. The clock is paused, so a minute of latency costs
//! nothing, and times are exact. For real sockets put a `TcpProxy` in front of the server and measure with `cx.load`.
//!
//! Red with: `TimeoutInSeconds`, `StageTimeoutIsOk`, `TimeoutOnFirstAttemptOnly`, `StageTimeoutDetaches`.

use std::time::Duration;

use miniflow::{Graph, RetryPolicy, RunConfig, StageDef};
use serde_json::json;
use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Faults, InjectedError, Schedule};
use stageflow_stress::oracle::timing;
use stageflow_stress::prelude::*;
use tokio::time::{Instant, sleep};

use crate::support::{graph, output, stage, transient};

const WORK: Duration = Duration::from_millis(10);
const DEADLINE: Duration = Duration::from_millis(40);
/// A timer fires at the next full millisecond.
const TICK: Duration = Duration::from_millis(2);
const RUNS: u32 = 40;

fn call(name: &str, faults: &Faults) -> StageDef {
    let supplier = faults.port("supplier", |()| async {
        sleep(WORK).await;
        Ok::<_, InjectedError>(json!("in stock"))
    });
    stage(name, move |_| {
        let supplier = supplier.clone();
        async move { supplier.call(()).await.map(|answer| output([("answer", answer)])).map_err(transient) }
    })
}

/// Three calls in a row.
fn three_calls(faults: &Faults) -> Outcome<Graph> {
    let (first, second, third) = (call("a", faults), call("b", faults), call("c", faults));
    Ok(graph("three calls").stage(first).stage(second.after("a")).stage(third.after("b")).build()?)
}

/// The P95 of the time of a run.
async fn p95(graph: &Graph) -> Duration {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        graph.run(RunConfig::default()).await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[times.len() * 95 / 100]
}

fn late(schedule: Schedule, millis: i64) -> FaultPlan {
    FaultPlan::new().with(Fault::new("supplier", FaultKind::Latency, schedule).millis(millis))
}

#[roadmap_test("CHAOS-001", category = Performance, pipeline = Chaos, oracle(Timing, SideEffect), flavor = "current_thread", start_paused)]
async fn latency_adds_up_and_deadlines_hold(cx: &TestContext) -> Outcome {
    let usual = p95(&three_calls(&Faults::none())?).await;
    let slow = cx.faults(late(Schedule::Every(1), 50));
    let slower = p95(&three_calls(&slow)?).await;
    let rise = slower.saturating_sub(usual);
    let injected = Duration::from_millis(3 * 50);
    cx.check_eq("every call was late", slow.report().delivered, u64::from(3 * RUNS));
    cx.check(
        &format!("P95 rises by what was injected: {rise:?}"),
        rise >= injected && rise <= injected + TICK,
    );

    let hopeless = cx.faults(late(Schedule::First(2), 200));
    let guarded = graph("one call").stage(call("a", &hopeless).timeout(DEADLINE)).build()?;
    let retry = RetryPolicy { max_attempts: 2, first_wait: WORK, ..RetryPolicy::default() };
    let began = Instant::now();
    let result = guarded.run(RunConfig { retry, ..RunConfig::default() }).await;
    let (took, limit) = (began.elapsed(), 2 * DEADLINE + WORK + 3 * TICK);
    cx.check("two calls that are too late are a failure", !result.succeeded());
    cx.verdict("each attempt ends when its time is up", &timing(&[("two attempts", Some(took), limit)]));
    sleep(Duration::from_secs(1)).await;
    let executed = hopeless.report().ports["supplier"].executed;
    cx.check_eq("a call that was given up does not happen later", executed, 0);
    Ok(())
}
