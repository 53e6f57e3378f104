//! The attributes in a crate of an earlier edition, under another name, without insta or tokio.
#![deny(warnings, rust_2018_idioms)]

use stress::prelude::*;

#[roadmap_test("DAG-005", seeds = 1..=2, worker_threads = 1 + 1, crate = stress)]
async fn asynchronous(cx: &TestContext) -> Outcome {
    let _ = cx;
    // `gen` is a name in this edition and a keyword in the next.
    let gen = 1;
    assert_eq!(gen, 1);
    Ok(())
}

#[roadmap_test("DAG-006", crate = stress)]
fn gen() {}

#[silent_failure_probe(after = "DAG-*", crate = stress)]
fn observer(_: &Evidence, _: &mut Findings) {}

#[derive(Auditable)]
#[audit(crate = stress)]
struct State {
    gen: u8,
}

#[test]
fn a_field_named_gen() {
    assert_eq!(State { gen: 3 }.snapshot(), stress::probe::AuditValue::map([("gen", 3_u8.snapshot())]));
}
