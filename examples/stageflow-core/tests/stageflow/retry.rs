//! Retry: a stage that fails for a while and then works, under the engine's own retry facility.

use stageflow_stress::engine::{Behavior, FlakyHow, PipelineSpec, RunEnd, RunOptions, StageKind, StageSpec};
use stageflow_stress::prelude::*;

use super::{audited, control, stageflow};

/// A payment that fails as often as told, and a notification that comes after it.
fn payment(name: &str, failures: u32, how: FlakyHow) -> PipelineSpec {
    PipelineSpec::new(name)
        .stage(
            StageSpec::new("pay", Behavior::flaky(failures, how))
                .kind(StageKind::Work)
                .effect("charge attempted"),
        )
        .stage(StageSpec::new("notify", Behavior::Echo).after(["pay"]).effect("customer notified"))
}

/// A stage that raises is run again until it works or the configured attempts are used up.
#[roadmap_test("WORK-005", category = Reliability, pipeline = Recovery, oracle = SideEffect, expect_errors("fails"))]
async fn a_stage_that_raises_gets_its_attempts(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new().max_attempts(5);
    let report = audited(cx, &worker, &payment("raises three times", 3, FlakyHow::Raise), &options).await?;
    cx.check("tried at all", report.effect_count("charge attempted") >= 1);
    cx.check("notified at most once", report.effect_count("customer notified") <= 1);
    Ok(())
}

/// A timeout is the most common transient failure there is.
#[roadmap_test("WORK-005", category = Reliability, pipeline = Recovery, oracle = SideEffect, expect_errors("fails"))]
async fn a_stage_that_times_out_gets_its_attempts(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new().max_attempts(3);
    let report = audited(cx, &worker, &payment("times out once", 1, FlakyHow::Timeout), &options).await?;
    cx.check("tried at all", report.effect_count("charge attempted") >= 1);
    cx.check("notified at most once", report.effect_count("customer notified") <= 1);
    Ok(())
}

/// A stage that says "run me again" has not succeeded.
#[roadmap_test("WORK-005", category = SilentFailures, pipeline = Recovery, oracle = StateChange)]
async fn a_stage_that_asks_for_a_retry_is_run_again(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new().max_attempts(3);
    let report = audited(cx, &worker, &payment("asks once", 1, FlakyHow::Retry), &options).await?;
    cx.check("tried at all", report.effect_count("charge attempted") >= 1);
    cx.check("notified at most once", report.effect_count("customer notified") <= 1);
    Ok(())
}

/// The control: one failure with two attempts is retried once, and nothing else happens twice.
#[roadmap_test("WORK-005", category = Reliability, pipeline = Baseline, oracle = SideEffect, expect_errors("fails"))]
async fn one_failure_is_retried_once(cx: &TestContext) -> Outcome {
    let worker = stageflow(cx).await?;
    let options = RunOptions::new().max_attempts(2);
    let report = control(cx, &worker, &payment("raises once", 1, FlakyHow::Raise), &options).await?;
    cx.check_eq("the run is ok", report.end, RunEnd::Ok);
    cx.check_eq("charges attempted", report.effect_count("charge attempted"), 2);
    cx.check_eq("customers notified", report.effect_count("customer notified"), 1);

    // Attempts that run out are an error, and the dependents do not run.
    let report = control(cx, &worker, &payment("raises twice", 2, FlakyHow::Raise), &options).await?;
    cx.check_eq("the run fails", report.end, RunEnd::Error);
    cx.check_eq("nobody is notified", report.effect_count("customer notified"), 0);
    Ok(())
}
