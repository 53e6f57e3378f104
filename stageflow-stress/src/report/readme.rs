//! `README.md` of a run: what it is, how it ended, what was found, what lies where.

use crate::classify::Severity;
use crate::finding::FindingType;
use crate::markdown::{Doc, Inline, count};
use crate::run::state::StoredFinding;

use super::OtherFile;
use super::facts::{Facts, summary_of};
use super::next;
use super::verdict::RunStatus;

/// Findings that are listed; the report has all of them.
const SHOWN: usize = 10;

pub fn readme(facts: &Facts<'_>, files: &[(String, String)], others: &[OtherFile]) -> String {
    let state = facts.state;
    let info = &state.info;
    let mut doc = Doc::default();
    doc.heading(1, format!("{} {}", info.entry.id, info.entry.title));
    let completed = match facts.status {
        RunStatus::InProgress => "not yet".to_owned(),
        _ => state.last_at.clone(),
    };
    doc.table(
        ["Run", &info.run_id],
        [
            ["Status".into(), facts.status.as_str().into()],
            ["Verdict".into(), facts.verdict.word.as_str().into()],
            ["Started".into(), info.started_at.as_str().into()],
            ["Completed".into(), completed.into()],
            ["Invocation".into(), info.invocation.as_str().into()],
            ["Seed".into(), info.seed.to_string().into()],
        ],
    );
    doc.heading(2, "Summary");
    doc.line(summary_of(facts));
    if state.catalogue.is_some() {
        let (registered, never) = (facts.registered().len(), facts.never_ran());
        doc.line(format!(
            "{} of this entry: {} ran, {never} did not.",
            count(registered, "registered test", "registered tests"),
            registered - never
        ));
    }
    if !facts.impossible.is_empty() {
        doc.line("The run is blocked: its data cannot be. Nothing that is computed from it can be believed.");
        doc.items(facts.impossible.iter().map(String::as_str));
    }
    doc.heading(2, "What to do next");
    next::write(&mut doc, &next::steps(facts));
    doc.heading(2, "What is missing");
    let absences: Vec<_> = facts.absences().into_iter().filter(|(_, n)| *n > 0).collect();
    if absences.is_empty() {
        doc.line("Nothing that anybody noticed.");
    } else {
        doc.items(absences.into_iter().map(|(what, n)| format!("{what}: {n}")));
    }
    if !info.git_drops.is_empty() {
        doc.line("Git would drop what must be kept of this run:");
        doc.items(info.git_drops.iter().map(String::as_str));
    }
    doc.heading(2, "Key findings");
    let key: Vec<&StoredFinding> = state.findings.iter().filter(|stored| is_key(stored)).collect();
    if key.is_empty() {
        doc.line(match state.findings.len() {
            0 => "No findings.".to_owned(),
            n => format!("None of medium or greater severity; {} below.", count(n, "finding", "findings")),
        });
    }
    doc.items(key.iter().take(SHOWN).map(|stored| {
        let finding = &stored.finding;
        let known =
            stored.known.as_ref().map_or_else(String::new, |known| format!(", known as {}", known.status));
        Inline::default().strong(&stored.id).text(format!(
            " {} {}{known}, answer {}: {}",
            finding.severity,
            finding.kind,
            finding.severity.response(),
            finding.title
        ))
    }));
    if key.len() > SHOWN {
        doc.line(format!("And {} in the report.", count(key.len() - SHOWN, "more", "more")));
    }
    doc.heading(2, "Files");
    let mut list: Vec<(&str, &str)> =
        others.iter().map(|file| (file.path.as_str(), file.holds.as_str())).collect();
    list.extend(files.iter().map(|(path, _)| (path.as_str(), describe(path))));
    list.sort_unstable();
    list.dedup_by_key(|(path, _)| *path);
    doc.table(
        ["File", "Holds"],
        list.into_iter().map(|(path, holds)| [Inline::default().link(path, path), holds.into()]),
    );
    let analysed =
        state.tests.iter().filter(|test| facts.logs.contains_key(test.start.slug.as_str())).count();
    doc.line(format!(
        "Below results/logs there are the logs of {}, {} of them analysed.",
        count(state.tests.len(), "test", "tests"),
        analysed
    ));
    doc.heading(2, "How to reproduce");
    if state.tests.is_empty() {
        doc.line("No test was recorded.");
    } else {
        let commands: Vec<&str> = state.tests.iter().map(|test| test.start.reproduce.as_str()).collect();
        doc.code("sh", &commands.join("\n"));
    }
    doc.finish()
}

fn is_key(stored: &StoredFinding) -> bool {
    stored.finding.severity >= Severity::Medium || stored.finding.kind == FindingType::SilentFailure
}

fn describe(path: &str) -> &'static str {
    match path {
        "FINAL_REPORT.md" => "the report",
        "config/run_config.json" => "what was run with which parameters",
        "config/environment.json" => "the machine and its tools",
        "dx_evaluation/scores.json" => "scores of the developer experience",
        "dx_evaluation/friction_points.md" => "friction for developers",
        "dx_evaluation/suggestions.md" => "suggestions",
        "research/hypotheses.md" => "hypotheses with their results",
        "research/notes.md" => "research notes",
        "research/citations.json" => "sources",
        "results/summary.json" => "verdict and counts, for programs",
        "results/tests.json" => "every test with what belongs to it, for programs",
        "results/metrics/latency.json" => "timed operations, with percentiles",
        "results/metrics/throughput.json" => "operations per second",
        "results/metrics/values.json" => "measured numbers",
        "results/metrics/load.json" => "loads: what was offered, what came back, and when",
        "results/metrics/degradation.json" => "loads of growing rate, and where the system no longer kept up",
        "results/metrics/scaling.json" => "times over sizes",
        "results/metrics/resource_usage.json" => "memory, processor time, threads, files and tasks over time",
        "results/metrics/quality.json" => "decisions compared with the truth",
        "results/metrics/targets.json" => "measurements compared with targets",
        "results/metrics/checkers.json" => "histories that were checked",
        _ => "",
    }
}
