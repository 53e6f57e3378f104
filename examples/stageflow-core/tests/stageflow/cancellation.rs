//! Cancellation: when a run ends early, everything that it started ends with it.

use std::time::Duration;

use stageflow_stress::engine::{Behavior, PipelineSpec, RunEnd, RunOptions, StageKind, StageSpec};
use stageflow_stress::prelude::*;

use super::{audited, control, stageflow};

const SOON: Duration = Duration::from_millis(20);
const LATER: Duration = Duration::from_millis(250);
/// Longer than any grace window.
const NEVER: Duration = Duration::from_secs(60);

/// Two slow branches with side effects, one of which would take for ever.
fn slow_branches(name: &str) -> PipelineSpec {
    PipelineSpec::new(name)
        .stage(
            StageSpec::new("charge", Behavior::emit("charged", true))
                .kind(StageKind::Work)
                .sleep(LATER)
                .effect("charged"),
        )
        .stage(StageSpec::new("export", Behavior::Echo).kind(StageKind::Work).sleep(NEVER).effect("exported"))
}

fn options() -> RunOptions {
    RunOptions::new().grace(Duration::from_millis(600))
}

/// When one branch fails, nothing of the others happens after the caller was told.
#[roadmap_test("DAG-009", category = Reliability, pipeline = Chaos, oracle = SideEffect, expect_errors("card declined"))]
async fn a_failing_branch_stops_the_others(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let pipeline = slow_branches("one branch fails")
        .stage(StageSpec::new("check", Behavior::fail("card declined")).sleep(SOON));
    let report = audited(cx, &worker, &pipeline, &options()).await?;
    cx.check_eq("the caller sees the failure", report.end, RunEnd::Error);
    Ok(())
}

/// When the caller's deadline passes, nothing happens after it.
#[roadmap_test("DAG-009", category = Reliability, pipeline = Chaos, oracle = Timing)]
async fn a_deadline_stops_every_stage(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = options().timeout(SOON);
    let report = audited(cx, &worker, &slow_branches("the deadline passes"), &options).await?;
    cx.check_eq("the caller sees the timeout", report.end, RunEnd::Timeout);
    Ok(())
}

/// The control: with no branch failing and a deadline that is kept, the run is whole.
#[roadmap_test("DAG-009", category = Reliability, pipeline = Baseline, oracle = SideEffect)]
async fn a_run_that_is_left_alone_is_whole(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let pipeline = PipelineSpec::new("left alone")
        .stage(
            StageSpec::new("charge", Behavior::emit("charged", true))
                .kind(StageKind::Work)
                .sleep(LATER)
                .effect("charged"),
        )
        .stage(StageSpec::new("check", Behavior::emit("fine", true)).sleep(SOON));
    let report = control(cx, &worker, &pipeline, &options().timeout(NEVER)).await?;
    cx.check_eq("charged once", report.effect_count("charged"), 1);
    Ok(())
}

/// The other control: a branch that raises, or cancels, does stop the others.
#[roadmap_test("DAG-009", category = Reliability, pipeline = Recovery, oracle = SideEffect, expect_errors("lost"))]
async fn a_raising_or_cancelling_branch_stops_the_others(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let raising = slow_branches("one branch raises")
        .stage(StageSpec::new("check", Behavior::panic("lost")).sleep(SOON));
    let report = control(cx, &worker, &raising, &options()).await?;
    cx.check_eq("nothing is charged", report.effect_count("charged"), 0);

    let cancel = Behavior::Cancel { reason: "not needed".to_owned() };
    let cancelling = slow_branches("one branch cancels").stage(StageSpec::new("check", cancel).sleep(SOON));
    let report = control(cx, &worker, &cancelling, &options()).await?;
    cx.check_eq("the run is cancelled", report.end, RunEnd::Cancelled);
    cx.check_eq("nothing is charged", report.effect_count("charged"), 0);
    Ok(())
}
