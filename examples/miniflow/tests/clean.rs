//! Miniflow without defects: the suite finds nothing in it, however often it is asked.

mod adapter;

use adapter::Miniflow;
use stageflow_stress::Severity;
use stageflow_stress::conformance::{Report, Suite};

#[test]
fn the_suite_finds_nothing() {
    let report = Suite::new().paused_clock().run(&Miniflow::default());
    println!("{report}");
    assert!(report.is_clean());
    assert_eq!(report.not_applicable(), 0);
}

/// Pipelines of a thousand stages and measurements of time: once is enough for them.
const LARGE: [&str; 4] = ["time_grows", "depth_does_not", "large_output", "fan_out_keeps"];

fn worst(report: &Report) -> Vec<String> {
    let high = |finding: &stageflow_stress::Finding| finding.severity >= Severity::Medium;
    report
        .findings()
        .filter(|(_, finding)| high(finding))
        .map(|(case, finding)| format!("{}: {}", case.name, finding.title))
        .collect()
}

/// Ten thousand runs without a false alarm: most on the paused clock, some on the real one with two threads.
#[test]
fn ten_thousand_clean_runs_have_no_finding() {
    let real = std::thread::spawn(|| Suite::new().without(LARGE).run(&Miniflow::default()));
    let mut runs = 0;
    let mut alarms = Vec::new();
    while runs < 10_000 {
        let report = Suite::new().paused_clock().without(LARGE).run(&Miniflow::default());
        assert_eq!(report.broken(), 0, "{report}");
        runs += report.runs();
        alarms.extend(worst(&report));
    }
    let real = real.join().unwrap();
    runs += real.runs();
    alarms.extend(worst(&real));
    println!("{runs} clean runs, {} of them on the real clock; false alarms: {}", real.runs(), alarms.len());
    assert_eq!(alarms, Vec::<String>::new());
}
