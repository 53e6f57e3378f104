use stageflow_stress::prelude::*;

#[silent_failure_probe("WORK-002")]
fn scenario_with_evidence(_evidence: &Evidence, _findings: &mut Findings) {}

#[silent_failure_probe(after = "WORK-002")]
fn observer_with_a_probe(_probe: &Probe) {}

#[silent_failure_probe("WORK-*")]
fn pattern_as_entry(_probe: &Probe) {}

#[silent_failure_probe]
fn no_entry(_probe: &Probe) {}

#[silent_failure_probe]
fn no_arguments() {}

#[silent_failure_probe("WORK-002")]
fn scenario_without_a_probe() {}

#[silent_failure_probe("WORK-002")]
fn three(_a: &Probe, _b: &Probe, _c: &Probe) {}

#[silent_failure_probe(after = "WORK-*")]
async fn asynchronous_observer(_evidence: &Evidence, _findings: &mut Findings) {}

#[silent_failure_probe(after = "WROK-*")]
fn selects_nothing(_evidence: &Evidence, _findings: &mut Findings) {}

#[silent_failure_probe(after = "WORK-02")]
fn follows_an_unknown_entry(_evidence: &Evidence, _findings: &mut Findings) {}

#[silent_failure_probe(after = "*", category = Security, iterations = 3)]
fn observer_with_options(_evidence: &Evidence, _findings: &mut Findings) {}

#[silent_failure_probe(after = "*")]
fn observer_that_returns(_evidence: &Evidence, _findings: &mut Findings) -> Outcome {
    Ok(())
}

#[silent_failure_probe]
fn observer_without_findings(_evidence: &Evidence) {}

#[silent_failure_probe("WORK-002", after = "WORK-*")]
fn both(_probe: &Probe) {}

#[roadmap_test("WORK-010")]
#[silent_failure_probe("WORK-002")]
fn two_entries(_probe: &Probe) {}

#[silent_failure_probe("WORK-002")]
#[roadmap_test("WORK-010")]
fn two_entries_the_other_way(_probe: &Probe) {}

#[roadmap_test("WORK-010", category = Security)]
#[silent_failure_probe(category = Security, patterns(Partial))]
fn given_twice(_probe: &Probe) {}

#[roadmap_test("WORK-010")]
#[silent_failure_probe(after = "WORK-*")]
fn stacked_observer(_evidence: &Evidence, _findings: &mut Findings) {}

#[roadmap_test("WORK-010")]
#[silent_failure_probe = "WORK-002"]
fn odd_attribute(_probe: &Probe) {}

#[roadmap_test]
#[silent_failure_probe]
fn stacked_without_an_entry(_probe: &Probe) {}

fn main() {}
