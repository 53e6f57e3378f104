//! The end of a scenario probe: its proof is kept, and what it found becomes findings.

use std::sync::PoisonError;

use serde_json::json;

use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::journal::record::{Metric, PROBE_ARMED, PROBE_BOUND, Record};
use crate::probe::{Proof, Reported, SilentFailure, said};
use crate::registry::TestKind;
use crate::run::{slug, write_atomically};

/// Makes findings of what the phases of each probe of the test found, and of what it could not prove.
pub fn judge(inner: &Inner, skipped: bool) {
    let proofs = std::mem::take(&mut *inner.proofs.lock().unwrap_or_else(PoisonError::into_inner));
    let expected = matches!(inner.def.kind, TestKind::Probe { .. }) && !skipped;
    if expected && !proofs.iter().any(|(name, _)| name.is_none()) {
        unproven(inner, "", &["its phases did not run to their end".to_owned()], None);
    }
    for (name, proof) in &proofs {
        let name = name.as_deref().unwrap_or_default();
        let stem = match name {
            "" => format!("results/probes/{}", inner.start.slug),
            name => format!("results/probes/{}-{}", inner.start.slug, slug(name)),
        };
        keep(inner, proof, &stem);
        silent(inner, name, proof, &stem);
        hanging(inner, name, proof);
        vanished(inner, name, proof);
        telemetry(inner, name, proof);
        if !proof.unproven.is_empty() {
            unproven(inner, name, &proof.unproven, Some(proof));
        }
    }
}

/// What tells the findings of one probe of a test from those of another.
fn whose(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" of the probe `{name}`") }
}

fn keep(inner: &Inner, proof: &Proof, stem: &str) {
    let (dead, alone) = proof.ablation();
    let names = |strategies: &[crate::probe::Strategy]| {
        strategies.iter().map(|strategy| strategy.as_str()).collect::<Vec<_>>().join(", ")
    };
    let markdown = format!(
        "# Probe {}\n\n{}\n\n{}\n\n## What it would have noticed\n\n{}\nStrategies that noticed nothing planted: {}.\nStrategies that alone noticed something: {}.\n\n\
         ## What is not compared\n\n{}\n## What was run\n\n{}",
        inner.start.name,
        if proof.unproven.is_empty() {
            "It proved itself.".to_owned()
        } else {
            format!(
                "**Unproven**:\n\n{}",
                proof.unproven.iter().map(|why| format!("- {why}\n")).collect::<String>()
            )
        },
        proof.score(),
        proof.kill_matrix(),
        names(&dead),
        names(&alone),
        match &proof.masked[..] {
            [] => "Everything is compared.\n".to_owned(),
            masks => masks.iter().map(|mask| format!("- {mask}\n")).collect::<String>(),
        },
        proof.costs(),
    );
    let document = serde_json::to_string_pretty(proof).unwrap_or_default();
    for (ending, content) in [("json", document), ("md", markdown)] {
        let path = format!("{stem}.{ending}");
        if let Err(error) = write_atomically(&inner.run.dir.join(&path), content.as_bytes()) {
            eprintln!("stageflow-stress: cannot keep {path}: {error}");
        }
    }
    let accounting = proof.accounting();
    let (failed, unknown) = proof.ends();
    let mut metrics: Vec<(&str, f64, &str)> = [
        (PROBE_ARMED, accounting.armed, "faults"),
        ("probe faults not delivered", accounting.undelivered, "faults"),
        ("probe faults surfaced", accounting.surfaced, "faults"),
        ("probe faults handled", accounting.handled, "faults"),
        ("probe faults vanished", accounting.vanished, "faults"),
        ("probe faults silent", accounting.silent, "faults"),
        ("probe runs with faults", proof.arms.len() as u64, "runs"),
        ("probe runs that reported a failure", failed, "runs"),
        ("probe runs that did not come back", unknown, "runs"),
    ]
    .map(|(name, value, unit)| (name, value as f64, unit))
    .to_vec();
    metrics.push(("probe self-check", proof.check_share() * 100.0, "% of the probe's time"));
    metrics.extend(proof.bound().map(|bound| (PROBE_BOUND, bound * 100.0, "%")));
    for (name, value, unit) in metrics {
        let metric = Metric { name: name.to_owned(), value, unit: unit.to_owned() };
        inner.collected().metrics.push(metric.clone());
        inner.record(Record::Metric(metric));
    }
}

fn silent(inner: &Inner, name: &str, proof: &Proof, stem: &str) {
    for (number, failure) in proof.failures.iter().enumerate() {
        let SilentFailure { plan, failed, of, runs, .. } = failure;
        let what = said(plan);
        let path = format!("{stem}-silent-{}.plan.json", number + 1);
        if let Err(error) = write_atomically(&inner.run.dir.join(&path), plan.to_json().as_bytes()) {
            eprintln!("stageflow-stress: cannot keep {path}: {error}");
        }
        let replay = super::faults::replay(inner, &path);
        let wrong = proof.arms.iter().find(|arm| arm.plan == failure.found).map(|arm| &arm.wrong);
        let seen = if failure.seen.is_empty() { wrong.unwrap_or(&failure.seen) } else { &failure.seen };
        let list: String = seen.iter().map(|(strategy, what)| format!("- {strategy}: {what}\n")).collect();
        let again = match failed {
            0 => format!("\nIt did not come again in {of} runs of the same plan."),
            _ => format!("\nThe plan fails {failed} of {of} times; {runs} runs went into making it small."),
        };
        let (title, told, rule) = match failure.reported {
            Reported::Success => {
                ("a silent failure", "The run reported success, and it was wrong", "probe.silent")
            }
            _ if plan.is_empty() => (
                "a failure without a fault",
                "Nothing struck the run, only its tasks came in another order, and it reported a failure",
                "probe.order",
            ),
            _ => (
                "something is left behind a failure",
                "The run reported a failure, and left something behind",
                "probe.left_behind",
            ),
        };
        let finding =
            Finding::new(FindingType::SilentFailure, format!("{title} under {what}{}", whose(name)))
                .severity(inner.severity().max(Severity::High))
                .rule(rule)
                .key(&what)
                .description(format!("{told}:\n\n{list}{again}"))
                .step(replay)
                .evidence(
                    "probe",
                    "the plan and what was seen",
                    json!({
                        "plan": plan, "seen": seen, "failed": failed, "of": of, "minimal": failure.minimal,
                        "found_in": failure.found_in, "found": failure.found,
                    }),
                );
        inner.file(finding, "runtime", None);
    }
    if proof.not_reduced > 0 {
        eprintln!("{} more runs with faults failed silently; results/probes has them", proof.not_reduced);
    }
}

fn hanging(inner: &Inner, name: &str, proof: &Proof) {
    let Some(arm) = proof.arms.iter().find(|arm| arm.reported == Reported::Unknown) else { return };
    let count = proof.hanging();
    let finding =
        Finding::new(FindingType::Reliability, format!("no end under {}{}", said(&arm.plan), whose(name)))
            .severity(inner.severity().max(Severity::High))
            .rule("probe.hang")
            .key(said(&arm.plan))
            .description(format!(
                "{count} runs with faults did not come back within their time, this one first."
            ))
            .evidence("probe", "the plan", json!({ "plan": arm.plan }));
    inner.file(finding, "runtime", None);
}

fn vanished(inner: &Inner, name: &str, proof: &Proof) {
    let count = proof.accounting().vanished;
    if count == 0 {
        return;
    }
    let finding = Finding::new(FindingType::SilentFailure, format!("faults left the result right and no trace{}", whose(name)))
        .severity(Severity::Low)
        .rule("probe.vanished")
        .description(format!(
            "{count} faults were delivered, the result was right, and nothing shows that there was a fault: no retry, no error, no line that \
             names it. An operator could not tell."
        ));
    inner.file(finding, "runtime", None);
}

/// Telemetry that a run lacks although it reported success, in any run and not only where it was planted.
fn telemetry(inner: &Inner, name: &str, proof: &Proof) {
    let lacking: Vec<_> = proof.arms.iter().filter(|arm| !arm.missing_lines.is_empty()).collect();
    let Some(first) = lacking.first() else { return };
    let finding = Finding::new(FindingType::LogIssue, format!("runs that report success lack lines of the log{}", whose(name)))
        .severity(Severity::Low)
        .rule("probe.telemetry_loss")
        .description(format!(
            "{} of {} runs with faults reported success and lack lines that the run without faults has; under {} it is: {}. Where the \
             work was done another way that is what the log should say; where it was done as always, telemetry was lost.",
            lacking.len(),
            proof.arms.len(),
            said(&first.plan),
            first.missing_lines.join("; ")
        ))
        .evidence(
            "log analysis",
            "plans and missing lines",
            json!(lacking.iter().take(20).map(|arm| json!({ "plan": arm.plan, "missing": arm.missing_lines })).collect::<Vec<_>>()),
        );
    inner.file(finding, "runtime", None);
}

fn unproven(inner: &Inner, name: &str, why: &[String], proof: Option<&Proof>) {
    let accounting = proof.map(Proof::accounting).cloned().unwrap_or_default();
    let finding = Finding::new(FindingType::Reliability, format!("the probe is unproven{}", whose(name)))
        .severity(Severity::High)
        .rule("probe.unproven")
        .description(format!(
            "Green would mean nothing:\n\n{}",
            why.iter().map(|why| format!("- {why}\n")).collect::<String>()
        ))
        .evidence(
            "accounting",
            "faults of this run",
            json!({
                "armed": accounting.armed, "undelivered": accounting.undelivered, "surfaced": accounting.surfaced,
                "handled": accounting.handled, "vanished": accounting.vanished, "silent": accounting.silent,
            }),
        );
    inner.file(finding, "runtime", None);
    for why in why {
        eprintln!("unproven: {why}");
    }
}
