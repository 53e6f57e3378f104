//! Probes of the five patterns against miniflow: proven and green without a defect, and what they find of each planted one.

#[path = "probes/lab.rs"]
mod lab;
#[path = "probes/scenarios.rs"]
mod scenarios;

use std::fmt::Write as _;

use lab::Lab;
use miniflow::{Defect, Defects};
use stageflow_stress::prelude::*;
use stageflow_stress::probe::ProbeReport;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/miniflow-probes.md");
/// Set to write the table instead of comparing it.
const WRITE: &str = "MINIFLOW_WRITE_TABLE";

const PATTERNS: [Pattern; 5] = [
    Pattern::SwallowedException,
    Pattern::IncorrectDefault,
    Pattern::PartialState,
    Pattern::LossyConversion,
    Pattern::AsyncFailure,
];

async fn play(pattern: Pattern, probe: &Probe, defects: Defects) -> Outcome {
    let lab = Lab { probe, defects };
    match pattern {
        Pattern::SwallowedException => scenarios::swallowed(lab).await,
        Pattern::IncorrectDefault => scenarios::defaults(lab).await,
        Pattern::PartialState => scenarios::partial(lab).await,
        Pattern::LossyConversion => scenarios::lossy(lab).await,
        _ => scenarios::background(lab).await,
    }
}

macro_rules! probes {
    ($($name:ident: $pattern:ident, $entry:literal;)+) => { $(
        #[silent_failure_probe($entry, patterns($pattern), flavor = "current_thread", start_paused)]
        async fn $name(probe: &Probe) -> Outcome {
            play(Pattern::$pattern, probe, Defects::NONE).await
        }
    )+ };
}

probes! {
    no_exception_is_swallowed: SwallowedException, "DAG-009";
    no_default_stands_in: IncorrectDefault, "CONTRACT-001";
    no_state_is_partial: PartialState, "WORK-010";
    no_conversion_loses_anything: LossyConversion, "CORE-008";
    no_failure_is_asynchronous: AsyncFailure, "DAG-010";
}

/// How a probe found a defect: without faults already, or only under them.
fn how(report: &ProbeReport) -> Option<&'static str> {
    if report.control_error.is_some() || !report.control_wrong.is_empty() {
        return Some("without faults");
    }
    if !report.silent.is_empty() || report.hanging > 0 {
        return Some("under faults");
    }
    (!report.unproven.is_empty()).then_some("unproven")
}

/// Without the variable that writes the table, one defect of so many is tried: all of them take minutes.
const SAMPLE: usize = 8;

/// Every defect alone under all five. What none of them finds is listed.
#[roadmap_test(
    "DAG-009",
    flavor = "current_thread",
    start_paused,
    seeds = [17],
    allow(leaked_task = "planted defects leave tasks behind")
)]
async fn the_probes_find_what_the_table_says(cx: &TestContext) -> Outcome {
    let mut rows = Vec::new();
    let all = std::env::var_os(WRITE).is_some();
    let tried = Defect::ALL.iter().enumerate().filter(|(at, _)| all || at % SAMPLE == 3);
    for (_, defect) in tried {
        let mut by = Vec::new();
        for pattern in PATTERNS {
            let report = cx
                .probe(&format!("{}-{pattern}", defect.name()))
                .patterns([pattern])
                .examine(async |probe: &Probe| play(pattern, probe, Defects::only(*defect)).await)
                .await;
            by.extend(how(&report).map(|how| (pattern, how)));
        }
        rows.push((*defect, by));
    }
    if all {
        std::fs::write(TABLE, table(&rows))?;
    }
    let old = std::fs::read_to_string(TABLE).unwrap_or_default();
    for row in &rows {
        let line = line(row);
        let name = format!("the row of {} is what the probes find; write all with {WRITE}=1", row.0.name());
        if !cx.check(&name, old.lines().any(|old| old == line)) {
            println!("{line}");
        }
    }
    Ok(())
}

/// The row of a defect.
fn line((defect, by): &(Defect, Vec<(Pattern, &'static str)>)) -> String {
    if by.is_empty() {
        return format!("* `{}`: {}", defect.name(), defect.what());
    }
    let by: Vec<String> = by.iter().map(|(pattern, how)| format!("{pattern}, {how}")).collect();
    format!("| `{}`: {} | {} |", defect.name(), defect.what(), by.join("; "))
}

fn table(rows: &[(Defect, Vec<(Pattern, &'static str)>)]) -> String {
    let found = rows.iter().filter(|(_, by)| !by.is_empty()).count();
    let only = |how: &str| {
        rows.iter().filter(|(_, by)| !by.is_empty() && by.iter().all(|(_, found)| *found == how)).count()
    };
    let mut text = String::from(include_str!("probes/table_head.md"));
    writeln!(
        text,
        "**{found} of {} defects are found** by the five probes alone, {} of them only under faults.\n",
        rows.len(),
        only("under faults")
    )
    .unwrap();
    writeln!(text, "| defect | found by the probe of |\n|---|---|").unwrap();
    for row in rows.iter().filter(|(_, by)| !by.is_empty()) {
        writeln!(text, "{}", line(row)).unwrap();
    }
    writeln!(text, "\n## Not found by these five\n").unwrap();
    for row in rows.iter().filter(|(_, by)| by.is_empty()) {
        writeln!(text, "{}", line(row)).unwrap();
    }
    text
}
