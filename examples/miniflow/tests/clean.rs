//! Miniflow without defects: the suite finds nothing in it.

mod adapter;

use adapter::Miniflow;
use stageflow_stress::conformance::Suite;

#[test]
fn the_suite_finds_nothing() {
    let report = Suite::new().paused_clock().run(&Miniflow::default());
    println!("{report}");
    assert!(report.is_clean());
    assert_eq!(report.not_applicable(), 0);
}
