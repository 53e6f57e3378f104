//! The recipe of `docs/conformance.md`, compiled and run: an adapter for a Rust engine of Stageflow's shape.

#[path = "recipe/adapter.rs"]
mod adapter;
#[path = "recipe/engine.rs"]
mod engine;

use stageflow_stress::conformance::Suite;

#[test]
fn the_adapter_of_the_recipe_runs_the_suite() {
    let report = Suite::new().paused_clock().without(["time_grows", "depth"]).run(&adapter::MyEngine);
    println!("{report}");
    assert_eq!(report.broken(), 0);
    assert!(report.passed() > 20 && report.not_applicable() > 80, "{report}");
    // The stand-in runs stages in waves, and a wave waits for its slowest: a chain beside an endless stage never goes on.
    let found: Vec<&str> = report.findings().map(|(case, _)| case.name).collect();
    assert_eq!(found, ["an_abandoned_run_stops_at_every_point"]);
}

#[test]
fn the_recipe_in_the_documentation_is_this_one() {
    let document = include_str!("../../../docs/conformance.md");
    assert!(
        document.contains(include_str!("recipe/adapter.rs").trim()),
        "copy `recipe/adapter.rs` into the document"
    );
}
