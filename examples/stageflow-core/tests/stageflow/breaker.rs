//! The circuit breaker that is on by default: five failures of a stage in a row open it.

use serde_json::json;
use stageflow_stress::engine::{
    Behavior, Overlap, PipelineSpec, RunEnd, RunOptions, RunReport, StageKind, StageSpec, audit,
};
use stageflow_stress::prelude::*;

use super::stageflow;

/// A payment whose target is down when the run says so, and what follows it.
fn payment() -> PipelineSpec {
    PipelineSpec::new("a payment")
        .stage(
            StageSpec::new("pay", Behavior::fail_if("down")).kind(StageKind::Work).effect("charge attempted"),
        )
        .stage(StageSpec::new("ship", Behavior::emit("shipped", true)).after(["pay"]).effect("shipped"))
}

/// Runs one graph in turn; the target is down for the first `down` of them.
async fn runs(cx: &TestContext, down: usize, all: usize) -> Outcome<Vec<RunReport>> {
    let worker = stageflow(cx).await?;
    let options: Vec<RunOptions> = (0..all).map(|n| RunOptions::new().data("down", n < down)).collect();
    let reports = worker.run_all(&payment(), &options, Overlap::InTurn).await?;
    for (options, report) in options.iter().zip(&reports) {
        for finding in audit(&payment(), options, report) {
            cx.finding(finding.component("stageflow-core"));
        }
    }
    Ok(reports)
}

/// A stage that the breaker refuses has not run, and nobody is told that it has.
#[roadmap_test("WORK-008", category = Reliability, pipeline = Chaos, oracle = StateChange, expect_errors("down is set"))]
async fn a_refused_stage_is_no_success(cx: &TestContext) -> Outcome {
    let reports = runs(cx, 5, 7).await?;
    let refused = &reports[5];
    cx.check("the breaker is open or the stage runs", refused.effect_count("charge attempted") <= 1);
    if refused.effect_count("charge attempted") == 0 {
        cx.check("a run without its stage is not ok", refused.end != RunEnd::Ok);
        cx.check_eq("nothing is shipped without a payment", refused.effect_count("shipped"), 0);
        // It opened a moment ago, and its time is half a minute.
        cx.check_eq("it stays open", reports[6].effect_count("charge attempted"), 0);
    }
    cx.save("refused.json", json!(refused).to_string())?;
    Ok(())
}

/// The control: below its threshold the breaker refuses nothing.
#[roadmap_test("WORK-008", category = Reliability, pipeline = Baseline, oracle = StateChange, expect_errors("down is set"))]
async fn a_few_failures_open_nothing(cx: &TestContext) -> Outcome {
    let reports = runs(cx, 3, 5).await?;
    for (n, report) in reports.iter().enumerate() {
        cx.check_eq(&format!("run {n} calls its stage"), report.effect_count("charge attempted"), 1);
    }
    cx.check_eq("the last run is ok", reports[4].end, RunEnd::Ok);
    Ok(())
}
