//! Without the standard harness the compiler drops every `#[test]` function. What was registered must stay.
#![deny(warnings)]

use stageflow_stress::__private::{Registered, RegisteredObserver, inventory};
use stageflow_stress::prelude::*;

#[roadmap_test("DAG-005", seeds = [1, 2])]
async fn with_seeds(_: &TestContext) {}

#[roadmap_test("DAG-006")]
fn plain() {}

#[silent_failure_probe]
fn observer(_: &Evidence, _: &mut Findings) {}

fn main() {
    let mut cases: Vec<_> = inventory::iter::<Registered>.into_iter().map(|test| test.0.case).collect();
    cases.sort_unstable();
    assert_eq!(cases, ["dag_005_seed_1", "dag_005_seed_2", "dag_006"]);
    assert_eq!(inventory::iter::<RegisteredObserver>.into_iter().count(), 1);
}
