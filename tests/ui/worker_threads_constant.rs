//! A constant is checked as well.
use stageflow_stress::prelude::*;

const NONE: usize = 0;

#[roadmap_test("DAG-005", worker_threads = NONE)]
async fn no_workers() {}

fn main() {}
