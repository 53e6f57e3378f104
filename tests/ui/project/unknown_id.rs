//! The ids of the project are suggested as well.
use stageflow_stress::prelude::*;

#[roadmap_test("SHOP-01")]
fn malformed() {}

#[roadmap_test("SHOP-009")]
fn unknown() {}

#[silent_failure_probe(after = "SHP-*")]
fn selects_nothing(_evidence: &Evidence, _findings: &mut Findings) {}

fn main() {}
