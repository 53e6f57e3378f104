//! `FINAL_REPORT.md`: ten sections, always all of them. What nobody recorded is said to be not recorded.

mod catalogue;
mod feedback;
mod findings;
mod instruments;
mod procedure;
mod results;
mod setting;
mod tests_section;

use crate::classify::Severity;
use crate::finding::FindingType;
use crate::journal::record::{Fact, GoldenOutcome, TestStatus};
use crate::markdown::{Doc, Inline};

use super::dx;
use super::facts::{Facts, setting, summary_of};
use super::metrics;
use super::next;

/// The one line of a section that nobody fed.
const NOT_RECORDED: &str = "Not recorded.";

pub fn final_report(facts: &Facts<'_>) -> String {
    let mut doc = Doc::default();
    header(&mut doc, facts);
    executive_summary(&mut doc, facts);
    setting::research(&mut doc, facts);
    setting::environment(&mut doc, facts);
    setting::pipelines(&mut doc, facts);
    results::results(&mut doc, facts);
    findings::findings(&mut doc, facts);
    feedback::developer_experience(&mut doc, facts);
    feedback::recommendations(&mut doc, facts);
    feedback::framework(&mut doc, facts);
    appendices(&mut doc, facts);
    sign_off(&mut doc, facts);
    doc.finish()
}

fn header(doc: &mut Doc, facts: &Facts<'_>) {
    let info = &facts.state.info;
    doc.heading(1, format!("Final report: {} {}", info.entry.id, info.entry.title));
    let not_recorded = || "not recorded".to_owned();
    let commit = match (&info.git_commit, info.git_dirty) {
        (None, _) => not_recorded(),
        (Some(commit), Some(true)) => format!("{commit}, with changes"),
        (Some(commit), Some(false)) => commit.clone(),
        (Some(commit), None) => format!("{commit}; whether there were changes is not known"),
    };
    doc.table(
        ["Run", &info.run_id],
        [
            ["Status".into(), facts.status.as_str().into()],
            ["Date".into(), info.started_at.as_str().into()],
            ["Last record".into(), facts.state.last_at.as_str().into()],
            ["Agent".into(), setting(facts.state, Fact::AgentModel).unwrap_or_else(not_recorded).into()],
            [
                "Version of the framework".into(),
                setting(facts.state, Fact::StageflowVersion).unwrap_or_else(not_recorded).into(),
            ],
            ["Tier".into(), info.entry.tier.as_str().into()],
            ["Section".into(), info.entry.section.as_str().into()],
            ["Priority".into(), info.entry.priority.as_str().into()],
            ["Risk class".into(), info.entry.risk.as_str().into()],
            ["Target".into(), info.entry.target.clone().unwrap_or_else(|| "none".to_owned()).into()],
            ["Commit".into(), commit.into()],
            ["Seed".into(), info.seed.to_string().into()],
        ],
    );
}

fn executive_summary(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "Executive summary");
    doc.line(
        Inline::from("Verdict: ")
            .strong(facts.verdict.word.as_str())
            .text(format!(". {}.", sentence(&facts.verdict.rule))),
    );
    doc.line(summary_of(facts));
    if !facts.verdict.besides.is_empty() {
        doc.line("Besides:");
        doc.items(facts.verdict.besides.iter().map(String::as_str));
    }
    if !facts.impossible.is_empty() {
        doc.line("The run is blocked: its data cannot be. Nothing that is computed from it can be believed.");
        doc.items(facts.impossible.iter().map(String::as_str));
    }
    doc.heading(3, "What to do next");
    next::write(doc, &next::steps(facts));
    doc.heading(3, "Key metrics");
    let state = facts.state;
    let (records, lost) = facts.log_records();
    let mut rows: Vec<(String, String)> = vec![("Findings".to_owned(), state.findings.len().to_string())];
    for kind in FindingType::ALL {
        let n = facts.findings_of(*kind);
        // The two that the whole procedure is about are there even where they are zero.
        if n > 0 || *kind == FindingType::SilentFailure {
            rows.push((format!("Findings of type {kind}"), n.to_string()));
        }
    }
    rows.extend([
        ("Critical findings".to_owned(), facts.findings_at(Severity::Critical).to_string()),
        ("High findings".to_owned(), facts.findings_at(Severity::High).to_string()),
        (
            "Known findings".to_owned(),
            state.findings.iter().filter(|stored| stored.known.is_some()).count().to_string(),
        ),
        ("Found by log analysis".to_owned(), findings::of_logs(facts).count().to_string()),
        ("Log records captured".to_owned(), records.to_string()),
        ("Log records lost".to_owned(), lost.to_string()),
        ("Checks passed".to_owned(), facts.checks_passed.to_string()),
        ("Checks failed".to_owned(), facts.checks_failed.to_string()),
        (
            "DX score".to_owned(),
            dx::overall(state).map_or_else(|| "not scored".to_owned(), |score| format!("{score:.1} of 5")),
        ),
        ("Coverage of registered tests".to_owned(), coverage(facts)),
        // Nothing declares in advance which checks an entry needs, so there is nothing to divide by.
        ("Coverage of what the entry needs".to_owned(), "n/a: no entry declares its checks".to_owned()),
        (
            "Duration".to_owned(),
            facts.seconds().map_or_else(|| "not known".to_owned(), |seconds| format!("{seconds:.3} s")),
        ),
    ]);
    for status in TestStatus::ALL {
        rows.push((format!("Tests {status}"), facts.tests_with(*status).to_string()));
    }
    for outcome in GoldenOutcome::ALL {
        rows.push((format!("Goldens: {outcome}"), facts.goldens_with(*outcome).to_string()));
    }
    doc.table(["Metric", "Value"], rows.into_iter().map(|(name, value)| [name.into(), value.into()]));
    doc.heading(3, "What is missing");
    doc.table(
        ["What", "How many"],
        facts.absences().into_iter().map(|(what, n)| [what.into(), n.to_string().into()]),
    );
    if !state.losses.is_empty() {
        doc.line("Losses:");
        doc.items(state.losses.iter().map(|loss| format!("{} × {}: {}", loss.count, loss.what, loss.why)));
    }
    if !facts.checked_nothing.is_empty() {
        doc.line("Passed without a recorded check or golden:");
        doc.items(facts.checked_nothing.iter().copied());
    }
}

/// What ran of what was registered.
fn coverage(facts: &Facts<'_>) -> String {
    match facts.registered().len() {
        0 => "not recorded".to_owned(),
        all => format!("{} of {all} ran", all - facts.never_ran()),
    }
}

fn appendices(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "9 Appendices");
    doc.heading(3, "9.1 Files");
    let measured = metrics::instruments(facts.state);
    let mut files = vec![
        "README.md",
        "findings.json",
        "config/run_config.json",
        "config/environment.json",
        "dx_evaluation/scores.json",
        "results/summary.json",
        "results/tests.json",
    ];
    let state = facts.state;
    for (path, exists) in [
        ("results/metrics/latency.json", !metrics::series(state).is_empty()),
        ("results/metrics/throughput.json", state.tests.iter().any(|test| !test.throughputs.is_empty())),
        ("results/metrics/values.json", state.tests.iter().any(|test| !test.metrics.is_empty())),
        ("research/hypotheses.md", state.tests.iter().any(|test| !test.hypotheses.is_empty())),
        ("research/notes.md", state.tests.iter().any(|test| !test.notes.is_empty())),
        ("research/citations.json", state.citations().next().is_some()),
        ("dx_evaluation/friction_points.md", dx::friction_points(state).is_some()),
        ("dx_evaluation/suggestions.md", dx::suggestions(state).is_some()),
    ] {
        if exists {
            files.push(path);
        }
    }
    files.extend(measured.iter().map(|(path, _)| path.as_str()));
    doc.items(files.into_iter().map(|path| Inline::default().link(path, path)));
    doc.heading(3, "9.2 Tests");
    tests_section::tests(doc, facts);
    doc.heading(3, "9.3 Processes");
    if state.processes.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.table(
            ["Host", "Process", "Runner", "Version of this library", "Command"],
            state.processes.iter().map(|process| {
                [
                    process.host.as_str().into(),
                    process.pid.to_string().into(),
                    process.runner.as_str().into(),
                    process.sdk.as_str().into(),
                    process.command.join(" ").into(),
                ]
            }),
        );
    }
    doc.heading(3, "9.4 Catalogue");
    catalogue::catalogue(doc, facts);
}

fn sign_off(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(2, "10 Sign-off");
    doc.line(
        Inline::from("Verdict ")
            .strong(facts.verdict.word.as_str())
            .text(format!(", computed from what was recorded: {}.", facts.verdict.rule)),
    );
    doc.line(format!("Status {}, last record at {}.", facts.status, facts.state.last_at));
    doc.line("Reviewed by: not recorded.");
    doc.heading(3, "10.1 The procedure");
    procedure::procedure(doc, facts);
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}
