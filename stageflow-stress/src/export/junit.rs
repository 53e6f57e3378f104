//! JUnit XML. Colors of terminals are taken out by the writer; characters that XML 1.0 has no place for, here: the writer lets
//! some of them pass.

use chrono::{DateTime, FixedOffset};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::cases::{Attempt, Case, Fate, Suite, suites};
use super::{ExportError, Exported};

/// The report.
pub fn junit(exported: &Exported) -> Result<Vec<u8>, ExportError> {
    let mut report = Report::new("stageflow-stress");
    if let Some(at) = time(&exported.at) {
        report.set_timestamp(at);
    }
    let mut total = std::time::Duration::ZERO;
    for suite in suites(exported) {
        let (rendered, took) = test_suite(&suite);
        total += took;
        report.add_test_suite(rendered);
    }
    report.set_time(total);
    let mut text = report.to_string()?;
    text.retain(is_legal);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text.into_bytes())
}

/// The characters of XML 1.0.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn test_suite(suite: &Suite<'_>) -> (TestSuite, std::time::Duration) {
    let mut rendered = TestSuite::new(suite.entry.as_str());
    rendered.add_property(Property::new("run", suite.run.as_str()));
    match suite.state {
        Some(state) => {
            if let Some(at) = time(&state.info.started_at) {
                rendered.set_timestamp(at);
            }
            rendered.add_property(Property::new("title", state.info.entry.title.as_str()));
            rendered.add_property(Property::new("seed", state.info.seed.to_string()));
            rendered.add_property(Property::new("invocation", state.info.invocation.as_str()));
            if let Some(commit) = &state.info.git_commit {
                rendered.add_property(Property::new("commit", commit.as_str()));
            }
            for loss in &state.losses {
                rendered.add_property(Property::new(
                    "lost",
                    format!("{} {}: {}", loss.count, loss.what, loss.why),
                ));
            }
        }
        None => {
            rendered
                .add_property(Property::new("tests", "not recorded: only findings are known of this run"));
        }
    }
    let mut took = std::time::Duration::ZERO;
    for case in &suite.cases {
        took += case.attempts.iter().map(|attempt| attempt.took).sum();
        rendered.add_test_case(test_case(case));
    }
    rendered.set_time(took);
    (rendered, took)
}

fn test_case(case: &Case<'_>) -> TestCase {
    let Some((last, earlier)) = case.attempts.split_last() else {
        return TestCase::new(case.name.as_str(), TestCaseStatus::skipped());
    };
    let mut status = match last.fate {
        Fate::Passed => TestCaseStatus::success(),
        Fate::Skipped | Fate::NotRun => TestCaseStatus::skipped(),
        Fate::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Fate::Died | Fate::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if last.fate != Fate::Passed {
        status.set_message(message(last)).set_type(last.raw.as_str());
        if !matches!(last.fate, Fate::Skipped | Fate::NotRun) {
            status.set_description(description(case, last));
        }
    }
    // A report has a place for earlier attempts only beside a success or a failure.
    if !matches!(last.fate, Fate::Skipped | Fate::NotRun) {
        status.add_reruns(earlier.iter().filter(|attempt| attempt.fate != Fate::Passed).map(|attempt| {
            let kind =
                if attempt.fate == Fate::Failed { NonSuccessKind::Failure } else { NonSuccessKind::Error };
            let mut rerun = TestRerun::new(kind);
            rerun.set_message(message(attempt)).set_type(attempt.raw.as_str()).set_time(attempt.took);
            rerun.set_description(attempt.reasons.join("\n"));
            if let Some(at) = attempt.started_at.as_deref().and_then(time) {
                rerun.set_timestamp(at);
            }
            rerun
        }));
    }
    let mut rendered = TestCase::new(case.name.as_str(), status);
    rendered.set_classname(case.class.as_str()).set_time(last.took);
    if let Some(at) = last.started_at.as_deref().and_then(time) {
        rendered.set_timestamp(at);
    }
    for item in &case.findings {
        rendered.add_property(Property::new(
            format!("finding:{}", item.id),
            format!("{} {} {}: {}", item.severity, item.kind, item.status, item.title),
        ));
        if let Some(fingerprint) = &item.fingerprint {
            rendered.add_property(Property::new(format!("fingerprint:{}", item.id), fingerprint.as_str()));
        }
    }
    if let Some((file, line)) = &case.place {
        rendered.add_property(Property::new("place", format!("{file}:{line}")));
    }
    let mut out = String::new();
    for item in &case.findings {
        out.push_str(&format!("{} {} ({}): {}\n", item.id, item.severity, item.status, item.title));
        if !item.description.is_empty() && item.description != item.title {
            out.push_str(&format!("{}\n", item.description));
        }
    }
    if let Some(log) = &last.log {
        out.push_str(&format!("log: {log}\n"));
    }
    if !out.is_empty() {
        rendered.set_system_out(out);
    }
    rendered
}

fn message(attempt: &Attempt) -> String {
    attempt.reasons.first().cloned().unwrap_or_else(|| attempt.raw.clone())
}

fn description(case: &Case<'_>, attempt: &Attempt) -> String {
    let mut text = attempt.reasons.join("\n");
    if let Some(command) = &case.reproduce {
        text.push_str(&format!("\nreproduce: {command}"));
    }
    text
}

fn time(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok()
}
