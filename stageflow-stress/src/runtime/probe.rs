//! The end of a scenario probe: its proof is kept, and what it found becomes findings.

use std::sync::PoisonError;

use serde_json::json;

use crate::classify::Severity;
use crate::context::Inner;
use crate::fault::FaultPlan;
use crate::finding::{Finding, FindingType};
use crate::journal::record::{Metric, Record};
use crate::probe::{ArmSeen, Proof, Reported};
use crate::run::write_atomically;

/// At most so many silent failures become findings of their own; each port and kind once.
const SHOWN: usize = 10;

/// Makes findings of what the phases of a probe found, and of what they could not prove.
pub fn judge(inner: &Inner) {
    let proof = inner.proof.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(proof) = proof else {
        unproven(inner, &["its phases did not run to their end".to_owned()], None);
        return;
    };
    keep(inner, &proof);
    silent(inner, &proof);
    hanging(inner, &proof);
    vanished(inner, &proof);
    if !proof.unproven.is_empty() {
        unproven(inner, &proof.unproven, Some(&proof));
    }
}

fn keep(inner: &Inner, proof: &Proof) {
    let stem = format!("results/probes/{}", inner.start.slug);
    let (dead, alone) = proof.ablation();
    let names = |strategies: &[crate::probe::Strategy]| {
        strategies.iter().map(|strategy| strategy.as_str()).collect::<Vec<_>>().join(", ")
    };
    let markdown = format!(
        "# Probe {}\n\n{}\n\n{}\n\n## What it would have noticed\n\n{}\nStrategies that noticed nothing planted: {}.\nStrategies that alone noticed something: {}.\n",
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
    );
    let document = serde_json::to_string_pretty(proof).unwrap_or_default();
    for (ending, content) in [("json", document), ("md", markdown)] {
        let path = format!("{stem}.{ending}");
        if let Err(error) = write_atomically(&inner.run.dir.join(&path), content.as_bytes()) {
            eprintln!("stageflow-stress: cannot keep {path}: {error}");
        }
    }
    let accounting = proof.accounting();
    for (name, value) in [
        ("probe faults armed", accounting.armed),
        ("probe faults not delivered", accounting.undelivered),
        ("probe faults surfaced", accounting.surfaced),
        ("probe faults handled", accounting.handled),
        ("probe faults vanished", accounting.vanished),
        ("probe faults silent", accounting.silent),
    ] {
        let metric = Metric { name: name.to_owned(), value: value as f64, unit: "faults".to_owned() };
        inner.collected().metrics.push(metric.clone());
        inner.record(Record::Metric(metric));
    }
}

/// What a plan does, in a few words that do not change from run to run.
fn said(plan: &FaultPlan) -> String {
    plan.faults
        .iter()
        .map(|fault| format!("{} at `{}`", fault.kind, fault.port))
        .collect::<Vec<_>>()
        .join(" and ")
}

fn silent(inner: &Inner, proof: &Proof) {
    let mut known: Vec<String> = Vec::new();
    let (singles, swarms): (Vec<&ArmSeen>, Vec<&ArmSeen>) =
        proof.arms.iter().filter(|arm| arm.is_silent()).partition(|arm| arm.plan.len() == 1);
    for arm in singles.iter().chain(&swarms) {
        // A failing plan of several faults stands for the small one that it was made into.
        let plan = proof.shrunk.iter().map(|shrunk| &shrunk.plan).find(|small| {
            arm.plan.len() > 1
                && small.faults.iter().all(|fault| {
                    arm.plan.faults.iter().any(|one| one.port == fault.port && one.kind == fault.kind)
                })
        });
        let plan = plan.unwrap_or(&arm.plan);
        let what = said(plan);
        if known.contains(&what) || known.len() == SHOWN {
            continue;
        }
        known.push(what.clone());
        let path = format!("results/probes/{}-silent-{}.plan.json", inner.start.slug, known.len());
        if let Err(error) = write_atomically(&inner.run.dir.join(&path), plan.to_json().as_bytes()) {
            eprintln!("stageflow-stress: cannot keep {path}: {error}");
        }
        let replay = super::faults::replay(inner, &path);
        let seen: String =
            arm.wrong.iter().map(|(strategy, what)| format!("- {strategy}: {what}\n")).collect();
        let finding = Finding::new(FindingType::SilentFailure, format!("a silent failure under {what}"))
            .severity(inner.severity().max(Severity::High))
            .rule("probe.silent")
            .key(&what)
            .description(format!("The run reported success, and it was wrong:\n\n{seen}"))
            .step(replay)
            .evidence("probe", "the plan and what was seen", json!({ "plan": plan, "seen": arm.wrong }));
        inner.file(finding, "runtime", None);
    }
}

fn hanging(inner: &Inner, proof: &Proof) {
    let Some(arm) = proof.arms.iter().find(|arm| arm.reported == Reported::Unknown) else { return };
    let count = proof.arms.iter().filter(|arm| arm.reported == Reported::Unknown).count();
    let finding = Finding::new(FindingType::Reliability, format!("no end under {}", said(&arm.plan)))
        .severity(inner.severity().max(Severity::High))
        .rule("probe.hang")
        .key(said(&arm.plan))
        .description(format!("{count} runs with faults did not come back within their time, this one first."))
        .evidence("probe", "the plan", json!({ "plan": arm.plan }));
    inner.file(finding, "runtime", None);
}

fn vanished(inner: &Inner, proof: &Proof) {
    let count = proof.accounting().vanished;
    if count == 0 {
        return;
    }
    let finding = Finding::new(FindingType::SilentFailure, "faults left the result right and no trace")
        .severity(Severity::Low)
        .rule("probe.vanished")
        .description(format!(
            "{count} faults were delivered, the result was right, and nothing shows that there was a fault: no retry, no error, no line that \
             names it. An operator could not tell."
        ));
    inner.file(finding, "runtime", None);
}

fn unproven(inner: &Inner, why: &[String], proof: Option<&Proof>) {
    let accounting = proof.map(Proof::accounting).cloned().unwrap_or_default();
    let finding = Finding::new(FindingType::Reliability, "the probe is unproven")
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
