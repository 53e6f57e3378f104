//! A broken roadmap is told with file and line.
use stageflow_stress::prelude::*;

#[roadmap_test("SHOP-001")]
fn whatever() {}

#[silent_failure_probe(after = "SHOP-*")]
fn observer(_evidence: &Evidence, _findings: &mut Findings) {}

fn main() {}
