//! One error for each wrong type, at the type.
use stageflow_stress::prelude::*;

#[roadmap_test("DAG-005")]
fn returns_a_number() -> u32 {
    3
}

#[roadmap_test("DAG-005")]
async fn returns_an_option() -> Option<Vec<u8>> {
    None
}

#[roadmap_test("DAG-005")]
fn returns_a_value(_cx: &TestContext) -> Result<u8, String> {
    let _ = _cx;
    Ok(3)
}

struct Opaque;

#[roadmap_test("DAG-005")]
async fn error_without_debug() -> Result<(), Opaque> {
    Ok(())
}

#[roadmap_test("DAG-005")]
fn takes_by_value(_cx: TestContext) {}

#[roadmap_test("DAG-005")]
async fn takes_mutably(_cx: &mut TestContext) {}

#[roadmap_test("DAG-005")]
fn takes_a_number(_number: Vec<u32>) {}

#[roadmap_test("DAG-005")]
fn takes_a_probe(_probe: &Probe) {}

#[silent_failure_probe("WORK-002")]
async fn scenario_takes_a_context(_cx: &TestContext) {}

#[silent_failure_probe("WORK-002")]
fn scenario_returns_a_number(_probe: &Probe) -> u32 {
    3
}

#[silent_failure_probe(after = "DAG-*")]
fn observer_of_numbers(_evidence: &u32, _findings: &mut Findings) {}

#[silent_failure_probe]
fn observer_of_shared_findings(_evidence: &Evidence, _findings: &Findings) {}

#[silent_failure_probe]
fn observer_of_swapped_arguments(_findings: &mut Findings, _evidence: &Evidence) {}

fn main() {}
