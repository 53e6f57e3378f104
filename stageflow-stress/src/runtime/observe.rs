//! After the body: the log is analysed, and observers judge what was recorded.

use std::path::Path;

use super::earlier_logs::look_back;
use super::session::Session;
use super::stock;
use super::verdict::{self, BodyOutcome};
use crate::capture::{payload_text, quietly};
use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType, Findings};
use crate::journal::record::{LogSummary, ObserverRecord, Record};
use crate::log::analysis::Analysis;
use crate::log::format::{Level, parse};
use crate::log::profile::Profile;
use crate::log::public::profile_of_part;
use crate::log::rules::{Comparison, Side};
use crate::log::{AnalysisInput, analyze};
use crate::markdown::count;
use crate::probe::{CheckSeen, Evidence, GoldenSeen, LogLine, PanicSeen};
use crate::registry::{self, ObserverDef};
use crate::run::write_whole;

/// Analyses the test's log and lets the observers of its entry run.
pub fn observe(inner: &Inner, session: &Session, outcome: &BodyOutcome) -> Analysis {
    // Counted before the file is read: what is written in between must not look like a loss.
    let summary = inner.active.log.summary(session.partial(inner));
    let text = inner.active.log.text();
    let passed = verdict::decide(inner, session, outcome).red.is_empty() && outcome.skipped.is_none();
    stock::observe(inner, &parse(&text).records, passed);
    let analysis = analyse_log(inner, session, outcome, text.as_bytes(), &summary);
    let observers = registry::observers_of(inner.entry.id);
    if !observers.is_empty() {
        let evidence = evidence(inner, session, outcome, &text);
        for observer in observers {
            run_observer(inner, observer, &evidence);
        }
    }
    analysis
}

fn analyse_log(
    inner: &Inner,
    session: &Session,
    outcome: &BodyOutcome,
    log: &[u8],
    summary: &LogSummary,
) -> Analysis {
    let passed = verdict::decide(inner, session, outcome).red.is_empty();
    let options = &inner.def.options;
    // An announced panic is an announced error too.
    let expected: Vec<&str> = options.expect_errors.iter().copied().chain(options.expect_panic).collect();
    let mut rules = inner.log_rules();
    look_back(&mut rules, &inner.run.dir, &inner.start.slug, passed);
    rules.comparisons.extend(arms(inner, log));
    let analysis = analyze(
        log,
        &AnalysisInput {
            test: &inner.start.name,
            slug: &inner.start.slug,
            log: &inner.start.log,
            reproduce: &inner.start.reproduce,
            passed: Some(passed),
            summary,
            expected: &expected,
            rules: Some(&rules),
        },
    );
    let stem = format!("results/logs/{}", inner.start.slug);
    for (ending, content) in [
        ("_stats.json", analysis.stats_json()),
        ("_errors.json", analysis.errors_json()),
        ("_analysis.md", analysis.markdown()),
    ] {
        let path = inner.run.dir.join(format!("{stem}{ending}"));
        if let Err(error) = write_whole(&path, content.as_bytes()) {
            eprintln!("stageflow-stress: cannot write {}: {error}", path.display());
        }
    }
    for finding in &analysis.findings {
        inner.file(finding.clone(), "log analysis", None);
    }
    // From the absence of a line nothing follows where lines were lost or the body did not get that far.
    let conclusive = analysis.digest.loss.reasons.is_empty()
        && passed
        && outcome.skipped.is_none()
        && outcome.refused.is_none();
    for text in analysis.digest.errors.announced_but_absent.iter().filter(|_| conclusive) {
        let finding = Finding::new(FindingType::LogIssue, "an announced error was not logged")
            .severity(Severity::Medium)
            .rule("log.announced_error_absent")
            .key(text.as_str())
            .description(format!(
                "The test announces an error-level record that contains `{text}`; the log has none, so the scenario may not \
                 have happened."
            ));
        inner.file(finding, "log analysis", None);
    }
    analysis
}

/// Names what else tells of the test on the page of the analysis: the trace is written after it, and so are the metrics.
pub fn cross_reference(inner: &Inner, mut analysis: Analysis, trace: Option<&Path>) {
    if let Some(name) = trace.and_then(Path::file_name) {
        analysis
            .references
            .push(("Trace, spans by id".to_owned(), format!("../traces/{}", name.to_string_lossy())));
    }
    for name in inner.metric_files() {
        analysis.references.push(("Metrics".to_owned(), format!("../metrics/{name}.json")));
    }
    for (what, ending) in [("All numbers", "_stats.json"), ("All errors", "_errors.json")] {
        analysis.references.push((what.to_owned(), format!("{}{ending}", inner.start.slug)));
    }
    let path = inner.run.dir.join(format!("results/logs/{}_analysis.md", inner.start.slug));
    if let Err(error) = write_whole(&path, analysis.markdown().as_bytes()) {
        eprintln!("stageflow-stress: cannot write {}: {error}", path.display());
    }
}

/// The runs of a probe without faults against those with faults, where there are both.
fn arms(inner: &Inner, log: &[u8]) -> Option<Comparison> {
    let arms = std::mem::take(&mut inner.collected().log_arms);
    let profile = |faults: bool| {
        let mut all = Profile::default();
        let mut n = 0;
        for arm in arms.iter().filter(|arm| arm.faults == faults) {
            let bytes = usize::try_from(arm.from).ok()?..usize::try_from(arm.to).ok()?;
            all.add(profile_of_part(log.get(bytes)?));
            n += 1;
        }
        (n > 0).then_some((n, all))
    };
    let ((controls, before), (faults, after)) = (profile(false)?, profile(true)?);
    Some(Comparison {
        before: Side {
            name: count(controls, "run without faults", "runs without faults"),
            profile: Some(before),
        },
        after: Side { name: count(faults, "run with faults", "runs with faults"), profile: Some(after) },
    })
}

fn evidence(inner: &Inner, session: &Session, outcome: &BodyOutcome, log: &str) -> Evidence {
    let passed = verdict::decide(inner, session, outcome).red.is_empty();
    let collected = inner.collected();
    let panics = collected
        .findings
        .iter()
        .filter(|record| matches!(record.finding.rule.as_str(), "panic" | "runtime.background_panic"))
        .map(|record| PanicSeen {
            message: record.finding.description.clone(),
            background: record.finding.rule != "panic",
        })
        .collect();
    Evidence {
        entry: inner.entry,
        test: inner.start.name.clone(),
        passed,
        checks: collected
            .checks
            .iter()
            .map(|check| CheckSeen { name: check.name.clone(), passed: check.passed })
            .collect(),
        metrics: collected
            .metrics
            .iter()
            .map(|metric| (metric.name.clone(), metric.value, metric.unit.clone()))
            .collect(),
        goldens: collected
            .goldens
            .iter()
            .map(|(name, outcome)| GoldenSeen { name: name.clone(), outcome: outcome.to_string() })
            .collect(),
        panics,
        findings: collected.findings.iter().map(|record| record.finding.clone()).collect(),
        log: parse(log)
            .records
            .iter()
            .map(|record| LogLine {
                level: record.level.map(Level::as_str).unwrap_or_default().to_owned(),
                target: record.target.to_string(),
                message: record.message.to_string(),
                fields: record
                    .fields
                    .iter()
                    .map(|(key, value)| (key.to_string(), value.to_string()))
                    .collect(),
            })
            .collect(),
        partial: session.partial(inner),
    }
}

/// An observer that panics has judged nothing, and says so.
fn run_observer(inner: &Inner, observer: &ObserverDef, evidence: &Evidence) {
    let name = observer.module_path.split_once("::").map_or(observer.module_path, |(_, path)| path);
    let mut findings = Findings::default();
    let panicked =
        quietly(|| (observer.body)(evidence, &mut findings)).err().map(|payload| payload_text(&*payload));
    if let Some(message) = &panicked {
        let finding = Finding::new(FindingType::Reliability, "an observer panicked")
            .severity(inner.severity())
            .rule("observer.panicked")
            .key(name)
            .description(format!("`{name}` panicked and judged nothing: {message}"));
        inner.file(finding, "runtime", None);
    }
    inner.record(Record::Observer(ObserverRecord {
        name: name.to_owned(),
        findings: u32::try_from(findings.made.len()).unwrap_or(u32::MAX),
        panicked,
    }));
    for mut finding in findings.made {
        if finding.rule.is_empty() {
            finding.rule = format!("observer.{name}");
        }
        inner.file(finding, &format!("observer:{name}"), None);
    }
}
