use stageflow_stress::prelude::*;

#[roadmap_test("DAG-005", category = Scalabilty, pipeline = "stress", oracle(Bounds, bound, Bounds), severity = Urgent)]
fn words() {}

#[roadmap_test("DAG-005", category = Severity::High, fail_on = Category::Security)]
fn wrong_enum() {}

#[roadmap_test("DAG-005", owner = 3, requirement(REQ), tags(), expect_errors(""), expect_panic)]
fn texts() {}

#[roadmap_test("DAG-005", timeout = "30", iterations = "3", seeds = [], determinism = "thrice")]
fn numbers() {}

#[roadmap_test("DAG-005", seeds = 3..1)]
fn empty_range() {}

#[roadmap_test("DAG-005", seeds = [1, 2, 1])]
fn repeated_seed() {}

#[roadmap_test("DAG-005", seeds = 0..100_000)]
fn too_many_seeds() {}

#[roadmap_test("DAG-005", isolate(memory = "lots", fds = 0, stak = "1MB", time = "1s", time = "2s"), concurrent(1))]
fn limits() {}

#[roadmap_test("DAG-005", flavor = current_thread, background_panics = "ignore")]
async fn choices() {}

#[roadmap_test("DAG-005", start_paused)]
async fn paused_on_many_threads() {}

#[roadmap_test("DAG-005", flavor = "current_thread", worker_threads = 4)]
async fn workers_on_one_thread() {}

#[roadmap_test("DAG-005", flavor = "multi_thread", worker_threads = 2, start_paused)]
fn not_async() {}

#[roadmap_test("DAG-005", tags("a"), tags("b"), crate = "stress", concurrent = yes)]
fn twice() {}

#[roadmap_test("DAG-005", seed = 1, name = "x", colour = "red", patterns(PartialState), after = "DAG-*")]
fn unknown() {}

#[roadmap_test("DAG-005", timeout "3s", timeout =, iterations 3, allow("leaked_task", leaked_tasks, silence), 7)]
fn shapes() {}

#[roadmap_test("DAG-005", waive_log("D8: visited node", "D99 because why", "D8 because ", "8 because it is"))]
fn waivers() {}

fn main() {}
