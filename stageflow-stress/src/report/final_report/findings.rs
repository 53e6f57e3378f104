//! Section 5: findings. The worst in full, the rest as a table.

use crate::classify::Severity;
use crate::finding::FindingType;
use crate::log::digest::DetectorOutcome;
use crate::markdown::{Doc, Inline, count};
use crate::run::state::StoredFinding;

use super::super::facts::Facts;
use super::super::words;
use super::NOT_RECORDED;

/// Reasons that are shown of one detector.
const REASONS: usize = 3;
/// Reproduce commands that are shown of one finding.
const COMMANDS: usize = 3;

pub fn findings(doc: &mut Doc, facts: &Facts<'_>) {
    let all = &facts.state.findings;
    doc.heading(2, "5 Findings");
    doc.heading(3, "5.1 By severity and type");
    let rows =
        FindingType::ALL.iter().filter(|kind| facts.findings_of(**kind) > 0).map(|kind| -> [Inline; 7] {
            let of = |severity| {
                let n = all
                    .iter()
                    .filter(|stored| stored.finding.kind == *kind && stored.finding.severity == severity)
                    .count();
                n.to_string().into()
            };
            [
                kind.as_str().into(),
                of(Severity::Critical),
                of(Severity::High),
                of(Severity::Medium),
                of(Severity::Low),
                of(Severity::Info),
                facts.findings_of(*kind).to_string().into(),
            ]
        });
    if all.is_empty() {
        doc.line("No findings.");
    } else {
        doc.table(["Type", "Critical", "High", "Medium", "Low", "Info", "All"], rows);
    }
    if !all.is_empty() {
        doc.table(
            ["Severity", "Findings", "Of which known", "Answer due"],
            Severity::ALL.iter().rev().map(|severity| {
                let of = || all.iter().filter(|stored| stored.finding.severity == *severity);
                [
                    severity.as_str().into(),
                    of().count().to_string().into(),
                    of().filter(|stored| stored.known.is_some()).count().to_string().into(),
                    severity.response().into(),
                ]
            }),
        );
    }
    doc.heading(3, "5.2 Critical, high and silent");
    let (worst, rest): (Vec<_>, Vec<_>) = all.iter().partition(|stored| is_worst(stored));
    if worst.is_empty() {
        doc.line("None.");
    }
    for stored in worst {
        in_full(doc, facts, stored);
    }
    doc.heading(3, "5.3 Medium, low and info");
    if rest.is_empty() {
        doc.line("None.");
    } else {
        doc.table(
            [
                "Finding",
                "Type",
                "Severity",
                "Answer due",
                "Status",
                "Component",
                "Title",
                "Seen",
                "Frequency",
            ],
            rest.into_iter().map(|stored| -> [Inline; 9] {
                let finding = &stored.finding;
                [
                    stored.id.as_str().into(),
                    finding.kind.as_str().into(),
                    finding.severity.as_str().into(),
                    finding.severity.response().into(),
                    stored.status().as_str().into(),
                    finding.component.as_deref().unwrap_or("not recorded").into(),
                    finding.title.as_str().into(),
                    stored.occurrences.to_string().into(),
                    frequency(stored).into(),
                ]
            }),
        );
    }
    log_analysis(doc, facts);
}

/// Critical and high findings, and every silent failure: those are easily missed again.
fn is_worst(stored: &StoredFinding) -> bool {
    stored.finding.severity >= Severity::High || stored.finding.kind == FindingType::SilentFailure
}

fn in_full(doc: &mut Doc, facts: &Facts<'_>, stored: &StoredFinding) {
    let finding = &stored.finding;
    doc.heading(4, format!("{} {}", stored.id, finding.title));
    let mut rows: Vec<(&str, String)> = vec![
        ("Type", finding.kind.to_string()),
        ("Severity", finding.severity.to_string()),
        ("Answer due", finding.severity.response().to_owned()),
        ("Status", stored.status().to_string()),
        ("Component", finding.component.clone().unwrap_or_else(|| "not recorded".to_owned())),
        ("Found by", stored.source.clone()),
        ("Seen in this run", count(stored.occurrences, "time", "times")),
        ("Frequency", frequency(stored)),
        ("First", stored.created_at.clone()),
        ("Tests", stored.tests.join(", ")),
        ("Fingerprint", stored.fingerprint.clone()),
    ];
    let optional = [
        ("Known because", stored.known.as_ref().map(|known| known.why.clone())),
        ("Rule", (!finding.rule.is_empty()).then(|| finding.rule.clone())),
        ("Source", finding.location.clone()),
        ("Classification", finding.classification.map(|one| one.to_string())),
        ("Tags", (!finding.tags.is_empty()).then(|| finding.tags.join(", "))),
        ("Conditions", finding.reproduction.conditions.clone()),
        ("Affects", finding.impact.affected_users.clone()),
        ("Risk to data", finding.impact.data_risk.map(|one| one.to_string())),
        ("Risk to security", finding.impact.security_risk.map(|one| one.to_string())),
        ("Risk to availability", finding.impact.availability_risk.map(|one| one.to_string())),
        ("Impact", finding.impact.business_impact.clone()),
        ("Workaround", finding.impact.workaround.clone()),
        ("Recommendation", finding.recommendation.summary.clone()),
        ("Effort", finding.recommendation.estimated_effort.map(|one| one.to_string())),
        ("Related", (!finding.related.is_empty()).then(|| finding.related.join(", "))),
    ];
    rows.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    doc.table(["What", "Value"], rows.into_iter().map(|(name, value)| [name.into(), value.into()]));
    doc.prose(&finding.description);
    if !finding.evidence.is_empty() {
        doc.line("Evidence:");
        for item in &finding.evidence {
            doc.line(format!("{}: {}", item.detector, item.summary));
            if !item.data.is_null() {
                doc.code("json", &format!("{:#}", item.data));
            }
        }
    }
    if !finding.attachments.is_empty() {
        doc.line("Files:");
        doc.items(finding.attachments.iter().map(|file| Inline::default().link(&file.name, &file.path)));
    }
    if !finding.reproduction.steps.is_empty() {
        doc.line("Steps:");
        doc.steps(finding.reproduction.steps.iter().map(String::as_str));
    }
    let commands = facts.reproduce(stored);
    // Where the author gave no code, the finding carries the command, which is shown below anyway.
    if let Some(code) =
        finding.reproduction.code_snippet.as_ref().filter(|code| !commands.contains(&code.as_str()))
    {
        doc.code("rust", code);
    }
    if commands.is_empty() {
        doc.line("Command that reproduces it: not recorded.");
    } else {
        doc.line("Reproduce with:");
        doc.code("sh", &commands.iter().take(COMMANDS).copied().collect::<Vec<_>>().join("\n"));
    }
    if let Some(proposal) = &finding.recommendation.detailed_proposal {
        doc.line("Proposal:");
        doc.prose(proposal);
    }
    if let Some(code) = &finding.recommendation.code_suggestion {
        doc.code("rust", code);
    }
}

/// How often it was seen, as far as anybody counted.
fn frequency(stored: &StoredFinding) -> String {
    let word = stored.frequency().map(|word| word.to_string());
    match (stored.counted(), word) {
        (Some(counted), word) => words::frequency(counted.seen, counted.trials, word.as_deref()),
        (None, Some(word)) => format!("{word}, as its author says; not measured"),
        (None, None) => "not measured".to_owned(),
    }
}

/// Findings that a log's analysis made, or that are about logs.
pub fn of_logs<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = &'a StoredFinding> {
    facts.state.findings.iter().filter(|stored| {
        stored.finding.kind == FindingType::LogIssue || stored.finding.rule.starts_with("log.")
    })
}

fn log_analysis(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(3, "5.4 Log analysis");
    let found: Vec<_> = of_logs(facts).collect();
    if found.is_empty() {
        doc.line("No findings from logs.");
    }
    for stored in found {
        doc.line(Inline::default().strong(&stored.id).text(format!(" {}", stored.finding.title)));
        for item in &stored.finding.evidence {
            let Some(excerpt) = item.data.get("excerpt") else { continue };
            let text = match excerpt {
                serde_json::Value::Array(lines) => {
                    lines.iter().filter_map(|line| line.as_str()).collect::<Vec<_>>().join("\n")
                }
                serde_json::Value::String(text) => text.clone(),
                _ => continue,
            };
            doc.code("text", &text);
        }
    }
    detectors(doc, facts);
    doc.heading(4, "Quality of the logs");
    if facts.logs.is_empty() {
        doc.line(NOT_RECORDED);
        return;
    }
    let logs = || facts.logs.values();
    let records: u64 = logs().map(|log| log.records).sum();
    let lines: u64 = logs().map(|log| log.lines).sum();
    let unparsed: u64 = logs().map(|log| log.unparsed_lines).sum();
    let unexpected: u64 = logs().map(|log| log.errors.unexpected).sum();
    let lossy = logs().filter(|log| !log.loss.reasons.is_empty()).count();
    let spanless: u64 = logs().map(|log| log.routes.get("sole").copied().unwrap_or_default()).sum();
    doc.items([
        format!(
            "{} analysed of {}",
            count(facts.logs.len(), "log", "logs"),
            count(facts.state.tests.len(), "test", "tests")
        ),
        format!(
            "{}, {}, {unparsed} not understood",
            count(records, "record", "records"),
            count(lines, "line", "lines")
        ),
        format!("{lossy} with something missing"),
        format!("{} that nobody announced", count(unexpected, "different error", "different errors")),
        format!("{} given to a test only because no other was active", count(spanless, "record", "records")),
    ]);
}

/// Every detector with its outcomes over all logs. One that could not conclude is not one that found nothing.
fn detectors(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Outcomes of the detectors");
    let mut order: Vec<(&str, &str)> = Vec::new();
    for detector in facts.logs.values().flat_map(|log| &log.detectors) {
        if !order.iter().any(|(id, _)| *id == detector.id) {
            order.push((&detector.id, &detector.name));
        }
    }
    if order.is_empty() {
        doc.line(NOT_RECORDED);
        return;
    }
    let of = |id: &str| {
        let logs = facts.logs.values();
        logs.flat_map(|log| log.detectors.iter().map(move |detector| (log, detector)))
            .filter(|(_, detector)| detector.id == id)
            .collect::<Vec<_>>()
    };
    let is_missing =
        |id: &str| of(id).iter().all(|(_, detector)| detector.outcome == DetectorOutcome::Missing);
    let (missing, there): (Vec<_>, Vec<_>) = order.into_iter().partition(|(id, _)| is_missing(id));
    if !there.is_empty() {
        doc.table(
            ["Detector", "Looks at", "Finding", "Inconclusive", "Clean", "Not applicable", "Why"],
            there.iter().map(|(id, name)| -> [Inline; 7] {
                let results = of(id);
                let n = |outcome| {
                    results.iter().filter(|(_, one)| one.outcome == outcome).count().to_string().into()
                };
                let told = [DetectorOutcome::Finding, DetectorOutcome::Inconclusive];
                let why: Vec<String> = results
                    .iter()
                    .filter(|(_, detector)| told.contains(&detector.outcome))
                    .map(|(log, detector)| format!("{}: {}", log.test, detector.why))
                    .collect();
                let mut shown = why.iter().take(REASONS).cloned().collect::<Vec<_>>().join("; ");
                if why.len() > REASONS {
                    shown += &format!("; and {} in the analyses", count(why.len() - REASONS, "more", "more"));
                }
                [
                    (*id).into(),
                    (*name).into(),
                    n(DetectorOutcome::Finding),
                    n(DetectorOutcome::Inconclusive),
                    n(DetectorOutcome::Clean),
                    n(DetectorOutcome::NotApplicable),
                    shown.into(),
                ]
            }),
        );
    }
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|(id, name)| format!("{id} {name}")).collect();
        doc.line(format!("Not in the version that ran: {}.", names.join(", ")));
    }
}
