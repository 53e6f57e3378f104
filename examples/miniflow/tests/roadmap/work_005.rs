//! WORK-005, retry with exponential back-off: the waits double up to their limit, the attempts are as many as configured, and if none
//! of them succeeds the error of the last one is what comes out.
//!
//! To adapt: have your own call noted where it is made, and say your policy to `retry_schedule` (jitter is a share of a wait). The
//! clock is paused, so waits of hours cost nothing.
//!
//! Red with: `RetriesOnce`, `RetriesOnceTooOften`, `NoBackOff`, `BackOffDoesNotGrow`, `BackOffWithoutLimit`, `ExhaustedRetryIsOk`,
//! `ErrorTextIsLost`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{RetryPolicy, RunConfig, RunResult};
use stageflow_stress::fault::{FaultKind, FaultPlan, InjectedError, Schedule};
use stageflow_stress::oracle::{self, Attempt, retry_schedule};
use stageflow_stress::prelude::*;
use tokio::time::Instant;

use crate::support::{graph, output, stage, transient};

const CONFIGURED: RetryPolicy = RetryPolicy {
    max_attempts: 5,
    first_wait: Duration::from_millis(100),
    longest_wait: Duration::from_millis(400),
};

/// A run in which the connection is reset so many times, and the attempts that were made.
async fn run(cx: &TestContext, resets: u64) -> Outcome<(RunResult, Vec<Attempt>)> {
    let faults = cx.faults(FaultPlan::new().add("charge", FaultKind::Reset, Schedule::First(resets)));
    let charge = faults.port("charge", |cents: u32| async move { Ok::<_, InjectedError>(cents) });
    let (attempts, began) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
    let noted = Arc::clone(&attempts);
    let charging = stage("charge", move |_| {
        let (charge, noted) = (charge.clone(), Arc::clone(&noted));
        async move {
            let at = began.elapsed();
            let answer = charge.call(250).await;
            let attempt = Attempt::failed(at, began.elapsed());
            noted.lock().unwrap().push(match answer {
                Ok(_) => Attempt::succeeded(at, began.elapsed()),
                Err(_) => attempt,
            });
            answer.map(|cents| output([("cents", cents.into())])).map_err(transient)
        }
    });
    let graph = graph("charging").stage(charging).build()?;
    let result = graph.run(RunConfig { retry: CONFIGURED, ..RunConfig::default() }).await;
    let attempts = attempts.lock().unwrap().clone();
    Ok((result, attempts))
}

#[roadmap_test("WORK-005", category = Reliability, pipeline = Recovery, oracle(Timing, Bounds, SideEffect), flavor = "current_thread", start_paused)]
async fn waits_grow_to_their_limit_and_attempts_end(cx: &TestContext) -> Outcome {
    let mut policy = oracle::RetryPolicy::doubling(CONFIGURED.max_attempts as usize, CONFIGURED.first_wait);
    policy.most = CONFIGURED.longest_wait;

    let (result, attempts) = run(cx, 4).await?;
    cx.check("the fifth attempt succeeds", result.succeeded());
    cx.check_eq("attempts", attempts.len(), 5);
    cx.verdict("the waits are as configured", &retry_schedule(&attempts, &policy));

    let (result, attempts) = run(cx, 5).await?;
    cx.check("after the last attempt the run fails", !result.succeeded());
    cx.verdict("there are no more attempts", &retry_schedule(&attempts, &policy));
    let error = result.error.unwrap_or_default();
    cx.check("the error is that of the last attempt", error.contains("fault-0-charge#5-reset"));
    Ok(())
}
