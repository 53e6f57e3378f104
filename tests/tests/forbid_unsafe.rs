//! The attributes in a crate that forbids what a macro might be tempted to write.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use stageflow_stress::prelude::*;

/// A plain test.
#[roadmap_test("DAG-005")]
fn plain() {}

/// Every argument at once, asynchronous, public.
#[ignore = "compiled, not run"]
#[roadmap_test(
    "DAG-006",
    category = Scalability,
    pipeline = Stress,
    oracle(Bounds, Timing),
    requirement("REQ-1", "REQ-2"),
    tags("slow", "nightly"),
    owner = "core",
    severity = High,
    flavor = "current_thread",
    start_paused,
    timeout = "30s",
    iterations = 2,
    seeds = [7, 9],
    determinism = "twice",
    isolate(memory = "512MB", fds = 64, stack = "2MB", time = "10s"),
    concurrent,
    background_panics = "record",
    expect_panic = "boom",
    expect_errors("refused", "reset"),
    allow(leaked_task),
    fail_on = Medium
)]
pub async fn everything(cx: &TestContext) -> Outcome {
    let _ = cx;
    Ok(())
}

/// A scenario.
#[ignore = "compiled, not run"]
#[silent_failure_probe("WORK-002", patterns(PartialState))]
async fn scenario(probe: &Probe) -> Outcome {
    let _ = probe;
    Ok(())
}

/// A scenario whose entry comes from above.
#[ignore = "compiled, not run"]
#[roadmap_test("WORK-010", tags = "undo")]
#[silent_failure_probe]
fn stacked(probe: &Probe) {
    let _ = probe;
}

/// The same, the other way round.
#[ignore = "compiled, not run"]
#[silent_failure_probe(patterns(AsyncFailure, LossyConversion))]
#[roadmap_test("WORK-010")]
fn stacked_the_other_way(probe: &Probe) -> Result<(), String> {
    let _ = probe;
    Ok(())
}

/// An observer of some.
#[silent_failure_probe(after = "DAG-*")]
fn observes_graphs(evidence: &Evidence, findings: &mut Findings) {
    let _ = (evidence, findings);
}

/// An observer of all.
#[silent_failure_probe]
fn observes_all(_: &Evidence, _: &mut Findings) {}

/// State.
#[derive(Auditable)]
pub struct Ledger {
    /// Money.
    pub balance: i64,
    #[audit(skip)]
    _cache: std::cell::Cell<u8>,
}
