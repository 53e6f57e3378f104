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
    for defect in Defect::ALL {
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
    let new = table(&rows);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(TABLE, &new)?;
    }
    let old = std::fs::read_to_string(TABLE).unwrap_or_default();
    cx.check_eq("the table is what the probes find; write it with MINIFLOW_WRITE_TABLE=1", new, old);
    Ok(())
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
    for (defect, by) in rows.iter().filter(|(_, by)| !by.is_empty()) {
        let by: Vec<String> = by.iter().map(|(pattern, how)| format!("{pattern}, {how}")).collect();
        writeln!(text, "| `{}`: {} | {} |", defect.name(), defect.what(), by.join("; ")).unwrap();
    }
    writeln!(text, "\n## Not found by these five\n").unwrap();
    for (defect, _) in rows.iter().filter(|(_, by)| by.is_empty()) {
        writeln!(text, "* `{}`: {}", defect.name(), defect.what()).unwrap();
    }
    text
}
