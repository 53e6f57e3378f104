//! The end of the sessions of faults that a test made: kept in the run folder, and red where nothing was delivered.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;

use crate::classify::Severity;
use crate::context::Inner;
use crate::fault::{Faults, UNDELIVERED};
use crate::finding::{Finding, FindingType};
use crate::install::quoted;
use crate::journal::record::{Metric, Record};
use crate::run::{shown_below, write_atomically};
use crate::settings::names;

/// Keeps what the sessions hold, and makes findings of what was not delivered. Of a test that could not run here nothing is
/// expected.
pub fn judge(inner: &Inner, expected: bool) {
    let sessions = std::mem::take(&mut *inner.faults.lock().unwrap_or_else(PoisonError::into_inner));
    let several = sessions.len() > 1;
    for (number, (faults, _armed)) in sessions.iter().enumerate() {
        let stem = match several {
            false => format!("results/faults/{}", inner.start.slug),
            true => format!("results/faults/{}-{}", inner.start.slug, number + 1),
        };
        keep(inner, faults, &stem, expected);
        // A stored plan takes the place of every plan of a test: of several it would not do the same again.
        if !several && !faults.plan().is_empty() {
            inner.collected().stored_plan = Some(format!("{stem}.plan.json"));
        }
    }
}

/// A stored plan in a command. The path is short: as the settings take it, from the workspace root.
fn in_command(inner: &Inner, plan: &str) -> String {
    quoted(&shown_below(&inner.root, &inner.run.dir.join(plan)))
}

/// The command that does a stored plan again.
pub fn replay(inner: &Inner, plan: &str) -> String {
    format!("{}={} {}", names::FAULT_PLAN, in_command(inner, plan), inner.start.reproduce)
}

/// The command that looks for the fewest faults of a stored plan that fail alike.
pub fn shrink(inner: &Inner, plan: &str) -> String {
    format!("stageflow-test faults shrink {} -- {}", in_command(inner, plan), inner.start.reproduce)
}

fn keep(inner: &Inner, faults: &Faults, stem: &str, expected: bool) {
    let report = faults.report();
    let (plan_path, report_path) = (format!("{stem}.plan.json"), format!("{stem}.report.json"));
    let report_json = json!({ "report": report, "operations": faults.operations() });
    for (path, content) in [(&plan_path, faults.plan().to_json()), (&report_path, format!("{report_json:#}"))]
    {
        if let Err(error) = write_atomically(&inner.run.dir.join(path), content.as_bytes()) {
            eprintln!("stageflow-stress: cannot keep {path}: {error}");
        }
    }
    for (name, value) in [
        ("faults armed", report.armed),
        ("faults delivered", report.delivered),
        ("faults not delivered", report.undelivered),
    ] {
        let metric = Metric { name: name.to_owned(), value: value as f64, unit: "faults".to_owned() };
        inner.collected().metrics.push(metric.clone());
        inner.record(Record::Metric(metric));
    }
    never_finished(inner, faults);
    let Err(undelivered) = report.all_delivered() else { return };
    if !expected {
        return;
    }
    let replay = replay(inner, &plan_path);
    let finding = Finding::new(FindingType::Reliability, UNDELIVERED)
        .severity(Severity::High)
        .rule("fault.undelivered")
        .key(undelivered.shown.join("\n"))
        .description(format!(
            "{} of {} faults did not reach their caller, so what went well without them proves nothing:\n\n{}",
            undelivered.undelivered,
            undelivered.armed,
            undelivered.shown.iter().map(|line| format!("- {line}\n")).collect::<String>()
        ))
        .step(replay)
        .evidence("faults", "the plan and what came of it", json!({ "plan": faults.plan(), "faults": report.faults }));
    inner.file(finding, "runtime", None);
}

/// Calls at ports that were under way when the body had ended and never came to an end of their own: they still are, or the end of the
/// runtime dropped them.
fn never_finished(inner: &Inner, faults: &Faults) {
    let Some(end) = inner.background.body_ended() else { return };
    let mut open: BTreeMap<String, u64> = BTreeMap::new();
    for operation in faults.operations() {
        let ended = operation.ended_ms.map(|ms| faults.state.started + Duration::from_secs_f64(ms / 1_000.0));
        if ended.is_none() || (operation.dropped && ended >= Some(end)) {
            *open.entry(operation.port).or_default() += 1;
        }
    }
    let Some((first, _)) = open.first_key_value() else { return };
    let finding = Finding::new(FindingType::Reliability, format!("calls at `{first}` began and never ended"))
        .severity(Severity::Medium)
        .rule("runtime.never_finished")
        .key(first.as_str())
        .description(format!(
            "When the body had ended and the settling window had passed, calls were still under way: {}.",
            open.iter().map(|(name, n)| format!("{n} at `{name}`")).collect::<Vec<_>>().join(", ")
        ))
        .evidence("operations", "begun and not ended, by port", json!(open));
    inner.file(finding, "runtime", None);
}
