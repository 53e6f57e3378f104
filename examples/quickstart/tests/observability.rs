//! Observability: what a system logs is tested like what it returns.
//!
//! Nothing here looks at a log file. A test declares what its log must hold; the analysis that follows every test does the
//! rest, and finds what nobody declared: ids that get lost or leak, ends without beginnings, failures that nobody logged.

use std::thread;

use stageflow_stress::logs::{DetectorOutcome, Options, analyze, diff};
use stageflow_stress::prelude::*;
use tracing::{Span, info, info_span};

/// One order, on a thread of its own, within the span that carries its id.
fn take_order(run_id: u32, stages: &[&str]) {
    let run = info_span!("run", run_id);
    run.in_scope(|| {
        info!("pipeline started");
        for stage in stages {
            info_span!("stage", stage, outcome = "ok").in_scope(|| {
                info!(stage, "stage started");
                info!(stage, status = "ok", "stage completed");
            });
        }
        info!("pipeline completed");
    });
}

/// Each record of concurrent runs names its run: the analysis compares every record with the span around it, and an id of
/// another run makes the test red (D12).
#[roadmap_test("OBS-001", category = Observability, pipeline = Baseline, oracle = Observability)]
fn every_record_names_its_run(cx: &TestContext) -> Outcome {
    let runs = 24;
    cx.expect_log("pipeline completed", runs..=runs);
    cx.expect_log_pair("pipeline started", ["pipeline completed", "pipeline failed"], "run_id");
    thread::scope(|scope| {
        for run_id in 0..runs as u32 {
            let test = Span::current();
            scope.spawn(move || test.in_scope(|| take_order(run_id, &["load", "price", "deliver"])));
        }
    });
    Ok(())
}

/// A pipeline within a pipeline keeps the run of the outer one, and its stages go through their states in order.
#[roadmap_test("OBS-002", category = Observability, pipeline = Baseline, oracle = Observability)]
fn spans_go_on_in_a_subpipeline(cx: &TestContext) -> Outcome {
    let steps = [("", "queued"), ("queued", "running"), ("running", "done")];
    cx.log_states("subpipeline", "sub", "state", steps);
    cx.expect_log("subpipeline step", 6..=6);
    info_span!("run", run_id = 7).in_scope(|| {
        info!("pipeline started");
        for sub in ["prices", "stock"] {
            info_span!("subpipeline", sub).in_scope(|| {
                for state in ["queued", "running", "done"] {
                    info!(sub, state, "subpipeline step");
                }
            });
        }
        info!("pipeline completed");
    });
    Ok(())
}

/// A log that lost records says so, and then nothing follows from what it does not hold.
#[roadmap_test("OBS-004", category = Observability, pipeline = Chaos, oracle = Observability)]
fn a_lost_record_is_noticed(cx: &TestContext) -> Outcome {
    let record = |number: u32, text: &str| {
        format!("{number} 2026-01-14T09:00:00.{number:06}Z INFO     span   main run engine | {text}\n")
    };
    let head = "# stageflow-stress log: 1\n\n";
    let whole = format!("{head}{}{}", record(1, "one"), record(2, "two"));
    let holed = format!("{head}{}{}", record(1, "one"), record(3, "three"));
    let announced = Options::new().expect_log("four", 1..);
    let outcome = |log: &str, id: &str| {
        analyze(log.as_bytes(), &announced)
            .detectors()
            .find(|detector| detector.id == id)
            .map(|detector| detector.outcome)
    };
    cx.check_eq("a whole log is whole", outcome(&whole, "D24"), Some(DetectorOutcome::Clean));
    cx.check_eq("what is missing in it is missing", outcome(&whole, "D9"), Some(DetectorOutcome::Finding));
    cx.check_eq("a hole is seen", outcome(&holed, "D24"), Some(DetectorOutcome::Finding));
    cx.check_eq(
        "what is missing then is unknown",
        outcome(&holed, "D9"),
        Some(DetectorOutcome::Inconclusive),
    );
    Ok(())
}

/// Two logs of the same thing, compared: what is new, what is gone.
#[roadmap_test("OBS-010", category = Observability, pipeline = Baseline, oracle = Observability)]
fn a_new_kind_of_record_is_told(cx: &TestContext) -> Outcome {
    let before = "INFO: stage load started\nINFO: stage load completed\n";
    let after =
        "INFO: stage load started\nWARNING: cache is cold, reading from disk\nINFO: stage load completed\n";
    cx.check(
        "nothing differs from itself",
        diff(before.as_bytes(), before.as_bytes(), &Options::new()).is_empty(),
    );
    let difference = diff(before.as_bytes(), after.as_bytes(), &Options::new());
    cx.check_eq("one kind of record is new", difference.json()["changes"].as_array().map(Vec::len), Some(1));
    Ok(())
}
