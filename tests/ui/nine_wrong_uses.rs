//! Every mistake of a file is reported in one compile.
use stageflow_stress::prelude::*;

#[roadmap_test("DAG-05")]
fn unknown_id() {}

#[roadmap_test("DAG-005", flavour = "current_thread")]
async fn unknown_argument() {}

#[roadmap_test("DAG-005", flavor = "turbo")]
async fn unknown_flavor() {}

#[roadmap_test("DAG-005", flavor = "current_thread", start_paused)]
fn runtime_of_a_sync_function() {}

#[roadmap_test("DAG-005")]
fn generic<T>() {}

#[roadmap_test("DAG-005")]
fn two_arguments(_a: &TestContext, _b: &TestContext) {}

#[roadmap_test("DAG-005")]
#[test]
fn two_tests() {}

#[roadmap_test("DAG-005")]
struct NotAFunction;

#[roadmap_test("dag-5", category = Scalabilty, timeout = "soon", iterations = 0, worker_threads = 0)]
unsafe fn seven_at_once(_a: u8, _b: u8) {}

fn main() {}
