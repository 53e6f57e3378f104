//! So is one that is not there.
use stageflow_stress::prelude::*;

#[roadmap_test("DAG-005")]
fn whatever() {}

fn main() {}
