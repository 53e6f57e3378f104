//! PERF-001, requests per second: the greatest rate at which the engine keeps up, found by doubling and halving.
//!
//! To adapt: put one request of your own in place of `checkout`. A step counts as kept while nothing is dropped, nothing fails and the
//! P99 of the response time, from the planned moment, stays within its limit.
//!
//! Red with: `OneAtATime`.

use std::time::Duration;

use stageflow_stress::load::StepState;
use stageflow_stress::prelude::*;

use crate::perf_005::{SHARED_MACHINE, checking_out, checkout};

#[roadmap_test("PERF-001", category = Scalability, pipeline = Stress, oracle(Timing, Bounds), timeout = "120s")]
async fn runs_per_second_that_are_kept_up_with(cx: &TestContext) -> Outcome {
    let graph = checking_out()?;
    let load = cx.load("ceiling").for_(Duration::from_secs(1)).max_lag(SHARED_MACHINE);
    let limit = Some(Duration::from_millis(600));
    let curve = load.search(20.0, 320.0, limit, move |op| checkout(graph.clone(), op.index())).await?;
    let kept = curve.steps.iter().filter(|step| step.state == StepState::Kept).map(|step| step.rate);
    let kept = kept.fold(0.0, f64::max);
    cx.metric("runs per second that are kept up with", kept, "1/s");
    cx.check(&format!("at least 40 a second: {kept}"), kept >= 40.0);
    Ok(())
}
