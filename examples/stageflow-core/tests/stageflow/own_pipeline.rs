//! A pipeline of this project's own Python code, watched without a change to it.

use serde_json::json;
use stageflow_stress::engine::{RunEnd, RunOptions, StageStatus};
use stageflow_stress::prelude::*;
use stageflow_stress::worker::Worker;

use super::stageflow;

async fn checkout(cx: &TestContext) -> Outcome<Worker> {
    let worker = stageflow(cx).await?;
    worker.load("pipelines.checkout", "checkout", "checkout").await?;
    Ok(worker)
}

/// A cart is priced, reserved once, and receipted.
#[roadmap_test("WORK-001", category = Correctness, pipeline = Baseline, oracle = SideEffect)]
async fn a_cart_is_reserved_once(cx: &TestContext) -> Outcome {
    let worker = checkout(cx).await?;
    let report = worker.run_loaded("checkout", &RunOptions::new().input_text("apple*3 bread*1")).await?;
    cx.check_eq("the run is ok", report.end, RunEnd::Ok);
    cx.check_eq("reserved", report.effect_count("reserved"), 1);
    cx.check_eq("nothing happens late", report.late_effects().count(), 0);
    let receipt = report.stage("receipt").and_then(|stage| stage.data.clone());
    cx.check_eq("the receipt", receipt, Some(json!({ "text": "340 cents" })));
    Ok(())
}

/// A cart that cannot be priced reserves nothing.
#[roadmap_test("WORK-001", category = Reliability, pipeline = Chaos, oracle = SideEffect, expect_errors("no price for"))]
async fn a_cart_without_a_price_reserves_nothing(cx: &TestContext) -> Outcome {
    let worker = checkout(cx).await?;
    let report = worker.run_loaded("checkout", &RunOptions::new().input_text("caviar*1")).await?;
    cx.check_eq("the run fails", report.end, RunEnd::Error);
    cx.check_eq("reserved", report.effect_count("reserved"), 0);
    cx.check_eq(
        "the receipt never ran",
        report.stage("receipt").map(|stage| stage.status),
        Some(StageStatus::Pending),
    );
    Ok(())
}
