use stageflow_stress::prelude::*;

#[roadmap_test("DAG-005")]
fn generic<T, const N: usize>() {}

#[roadmap_test("DAG-005")]
fn hidden_generic(_cx: &impl Send) {}

#[roadmap_test("DAG-005")]
unsafe fn not_safe() {}

#[roadmap_test("DAG-005")]
const fn constant() {}

#[roadmap_test("DAG-005")]
extern "C" fn foreign() {}

#[roadmap_test("DAG-005")]
fn never() -> ! {
    panic!()
}

struct Suite;

impl Suite {
    #[roadmap_test("DAG-005")]
    fn method(&self) {}
}

trait Behaves {
    #[roadmap_test("DAG-005")]
    fn declared();
}

#[roadmap_test("DAG-005")]
#[tokio::test]
async fn tokio_test() {}

#[roadmap_test("DAG-005")]
#[rstest]
fn other_test() {}

#[roadmap_test("DAG-005")]
#[should_panic(expected = "boom")]
fn panics() {}

#[roadmap_test("DAG-005")]
#[should_panic]
fn panics_somehow() {}

#[roadmap_test("DAG-005")]
#[roadmap_test("DAG-006")]
fn twice() {}

#[silent_failure_probe("WORK-002")]
#[silent_failure_probe("WORK-002")]
fn probe_twice(_probe: &Probe) {}

#[roadmap_test("DAG-005")]
enum NotAFunction {}

#[silent_failure_probe("DAG-005")]
const ALSO_NOT: u8 = 0;

#[roadmap_test("DAG-005")]
mod not_either {}

#[roadmap_test("DAG-005")]
impl Suite {}

#[roadmap_test("DAG-005")]
macro_rules! nor_this { () => {} }
nor_this!();

fn main() {}
