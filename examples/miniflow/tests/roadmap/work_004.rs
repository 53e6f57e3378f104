//! WORK-004, rate limits: where an answer is 429 with `Retry-After`, the client waits as long as it was asked to, tries again a
//! bounded number of times, and in the end hands on the 429 and not something vaguer.
//!
//! To adapt: put your own client behind the port, or a `TcpProxy` in front of a test server, and note the times of its attempts.
//! On a paused clock the waits cost nothing and are exact.
//!
//! Red with: `IgnoresRetryAfter`, `RetriesOnceTooOften`, `ErrorTextIsLost`, `ExhaustedRetryIsOk`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{Graph, RetryPolicy, RunConfig, RunResult};
use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Faults, InjectedError, Schedule};
use stageflow_stress::oracle::{self, Attempt, retry_schedule};
use stageflow_stress::prelude::*;
use tokio::time::{Instant, sleep};

use crate::support::{graph, is_broken, output, stage, transient};

const ATTEMPTS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(10);
const ASKED_FOR: Duration = Duration::from_millis(700);

type Attempts = Arc<Mutex<Vec<Attempt>>>;

/// A stage that calls a service through the port `mail`, and what it noted of its attempts.
fn mailing(faults: &Faults) -> Outcome<(Graph, Attempts)> {
    let mail = faults.port("mail", |()| async { Ok::<_, InjectedError>(()) });
    let (attempts, began) = (Attempts::default(), Instant::now());
    let noted = attempts.clone();
    let send = stage("send", move |_| {
        let (mail, noted) = (mail.clone(), noted.clone());
        async move {
            let at = began.elapsed();
            let answer = mail.call(()).await;
            let attempt = Attempt::failed(at, began.elapsed());
            let Err(error) = answer else {
                noted.lock().unwrap().push(Attempt::succeeded(at, began.elapsed()));
                return Ok(output([]));
            };
            let wait = error.retry_after().unwrap_or_default();
            noted.lock().unwrap().push(attempt.retry_after(wait));
            if !is_broken("IgnoresRetryAfter") {
                sleep(wait).await;
            }
            Err(transient(error))
        }
    });
    Ok((graph("mailing").stage(send).build()?, attempts))
}

/// A run in which the service refuses so many calls.
async fn run(cx: &TestContext, refusals: u64) -> Outcome<(RunResult, Vec<Attempt>)> {
    let limited = Fault::new("mail", FaultKind::RateLimited, Schedule::First(refusals));
    let millis = i64::try_from(ASKED_FOR.as_millis()).unwrap_or(i64::MAX);
    let faults = cx.faults(FaultPlan::new().with(limited.millis(millis)));
    let (graph, attempts) = mailing(&faults)?;
    let retry = RetryPolicy { max_attempts: ATTEMPTS, first_wait: FIRST_WAIT, ..RetryPolicy::default() };
    let result = graph.run(RunConfig { retry, ..RunConfig::default() }).await;
    let attempts = attempts.lock().unwrap().clone();
    Ok((result, attempts))
}

#[roadmap_test("WORK-004", category = Reliability, pipeline = Chaos, oracle(Timing, Bounds), flavor = "current_thread", start_paused)]
async fn what_a_rate_limit_asks_for_is_waited_for(cx: &TestContext) -> Outcome {
    let policy = oracle::RetryPolicy::doubling(ATTEMPTS as usize, FIRST_WAIT);

    let (result, attempts) = run(cx, 2).await?;
    cx.check("the third attempt gets through", result.succeeded());
    cx.check_eq("attempts", attempts.len(), 3);
    cx.verdict("Retry-After is waited for", &retry_schedule(&attempts, &policy));

    let (result, attempts) = run(cx, u64::from(ATTEMPTS)).await?;
    cx.check("a limit that stays is a failure", !result.succeeded());
    cx.verdict("attempts are bounded", &retry_schedule(&attempts, &policy));
    cx.check("the error is the 429", result.error.unwrap_or_default().contains("429"));
    Ok(())
}
