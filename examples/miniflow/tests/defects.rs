//! Every planted defect, alone, under the suite. The table of what found it is in `docs/miniflow-defects.md`.

mod adapter;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use adapter::Miniflow;
use miniflow::{Defect, Defects};
use stageflow_stress::Severity;
use stageflow_stress::conformance::{CASES, Suite};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/miniflow-defects.md");
/// Names shown of the cases that found a defect; the others are counted.
const SHOWN: usize = 3;
/// Set to write the table instead of comparing it.
const WRITE: &str = "MINIFLOW_WRITE_TABLE";

/// The cases that found the defect: those with a finding of at least medium severity.
fn found_by(defect: Defect) -> Vec<&'static str> {
    let engine = Miniflow { defects: Defects::only(defect) };
    let report = Suite::new().paused_clock().run(&engine);
    let mut cases: Vec<&str> = report
        .findings()
        .filter(|(_, finding)| finding.severity >= Severity::Medium)
        .map(|(case, _)| case.name)
        .collect();
    cases.dedup();
    // Times are measured: where something else found the defect they would only make the table differ.
    let timed = |case: &&str| case.starts_with("time_grows");
    if cases.iter().any(|case| !timed(case)) {
        cases.retain(|case| !timed(case));
    } else if !cases.is_empty() {
        // Which of them sees it is a matter of the machine's noise.
        cases = vec!["time_grows_with_the_length", "time_grows_with_the_width"];
    }
    cases
}

fn all() -> Vec<(Defect, Vec<&'static str>)> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(defect) = Defect::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let cases = found_by(*defect);
                    found.lock().unwrap().push((*defect, cases));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(defect, _)| *defect);
    found
}

fn table(found: &[(Defect, Vec<&'static str>)]) -> String {
    let caught = found.iter().filter(|(_, cases)| !cases.is_empty()).count();
    let cases = CASES.iter().map(|cases| cases.len()).sum::<usize>();
    let mut text = String::from(include_str!("table_head.md"));
    writeln!(
        text,
        "**{caught} of {} defects are found** ({:.1} %) by a suite of {cases} cases that names none of them.\n",
        found.len(),
        caught as f64 * 100.0 / found.len() as f64
    )
    .unwrap();
    let mut group = "";
    for (defect, cases) in found {
        if defect.group() != group {
            group = defect.group();
            writeln!(
                text,
                "\n## {group}\n\n| defect | its kind is known from | symptom | found by |\n|---|---|---|---|"
            )
            .unwrap();
        }
        let mut by: Vec<String> = cases.iter().take(SHOWN).map(|case| format!("`{case}`")).collect();
        if cases.len() > SHOWN {
            by.push(format!("{} more", cases.len() - SHOWN));
        }
        let by = if by.is_empty() { "**nothing**".to_owned() } else { by.join(", ") };
        let (what, like, shows) = (defect.what(), defect.like(), defect.shows());
        writeln!(text, "| `{}`: {what} | {like} | {shows} | {by} |", defect.name()).unwrap();
    }
    let missed: Vec<_> = found.iter().filter(|(_, cases)| cases.is_empty()).collect();
    writeln!(text, "\n## Missed\n").unwrap();
    if missed.is_empty() {
        writeln!(text, "None of those that are planted.").unwrap();
    }
    for (defect, _) in missed {
        writeln!(text, "* `{}`: {}.", defect.name(), defect.what()).unwrap();
    }
    text.push_str(include_str!("mutants/section.md"));
    text
}

#[test]
fn the_suite_finds_what_the_table_says() {
    let found = all();
    let new = table(&found);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &new).unwrap();
    }
    let old = std::fs::read_to_string(TABLE).unwrap_or_default();
    for (new, old) in new.lines().zip(old.lines()).filter(|(new, old)| new != old) {
        println!("-{old}\n+{new}");
    }
    assert!(new == old, "the table is not what the suite finds; write it with {WRITE}=1");
    let caught = found.iter().filter(|(_, cases)| !cases.is_empty()).count();
    assert!(caught * 10 >= found.len() * 9, "{caught} of {}", found.len());
}
