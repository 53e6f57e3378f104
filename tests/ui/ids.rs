use stageflow_stress::prelude::*;

#[roadmap_test("DAG-05")]
fn one_digit_short() {}

#[roadmap_test("DAG-999")]
fn no_such_number() {}

#[roadmap_test("dag-5")]
fn lower_case() {}

#[roadmap_test("DGA-005")]
fn letters_swapped() {}

#[roadmap_test("WAREHOUSE-001")]
fn nothing_near() {}

#[roadmap_test("")]
fn empty() {}

#[roadmap_test]
fn missing() {}

#[roadmap_test(category = Stress)]
fn missing_and_wrong() {}

#[roadmap_test(DAG-005)]
fn no_quotes() {}

#[roadmap_test("DAG-005", "DAG-006")]
fn two() {}

#[roadmap_test("DAG-*")]
fn many() {}

fn main() {}
