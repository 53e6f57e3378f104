//! What can be concluded from a test's log. Every detector says what came of it, also where it could not conclude.

use std::collections::BTreeMap;

use super::detect::{Detected, Totals, detect};
use super::detectors::{detectors, findings};
use super::diff::Difference;
use super::digest::{ErrorCounts, LogDigest, LogTimeline, LossFacts, TargetCounts, TemplateCounts};
use super::event::{Log, NO_TIME};
use super::format::{Level, Route, timestamp};
use super::groups::{ErrorGroup, add_context, group};
use super::profile::Profile;
use super::read::{Source, describe, is_own, read};
use super::rules::{Comparison, Missing, Rules, Side};
use super::trace::errors;
use crate::finding::Finding;
use crate::journal::record::LogSummary;
use crate::markdown::count;

/// Targets that are listed.
const TARGETS: usize = 200;
/// Parts of the time of a log whose records are counted.
const PARTS: usize = 60;

/// What is known of the test besides its log.
#[derive(Debug, Clone, Copy)]
pub struct AnalysisInput<'a> {
    /// Path of the test.
    pub test: &'a str,
    /// Its file name stem.
    pub slug: &'a str,
    /// The log file, relative to the run folder.
    pub log: &'a str,
    /// The command that runs the test alone.
    pub reproduce: &'a str,
    /// Whether nothing was red; absent where the log belongs to no test.
    pub passed: Option<bool>,
    /// What capture says of the log.
    pub summary: &'a LogSummary,
    /// Texts of errors that belong to the scenario.
    pub expected: &'a [&'a str],
    /// What else is declared and known.
    pub rules: Option<&'a Rules>,
}

/// What a log shows.
#[derive(Debug)]
pub struct Analysis {
    /// Its numbers.
    pub digest: LogDigest,
    /// Its different errors, unexpected before expected, then by first occurrence.
    pub errors: Vec<ErrorGroup>,
    /// The findings that it makes.
    pub findings: Vec<Finding>,
    /// For comparison with later logs.
    pub(crate) profile: Profile,
    /// How it differs from other logs, with their names.
    pub(crate) differences: Vec<(String, String, super::diff::Difference)>,
    /// Files that tell more of the same test: what they are, and their paths relative to the log's folder.
    pub(crate) references: Vec<(String, String)>,
    pub(super) reproduce: String,
    pub(super) passed: Option<bool>,
}

/// Analyses the log of one test, or any other log.
pub fn analyze(bytes: &[u8], input: &AnalysisInput<'_>) -> Analysis {
    let source = Source::new(bytes);
    let mut rules = input.rules.cloned().unwrap_or_default();
    rules.passed = rules.passed.or(input.passed);
    let own = is_own(source.text());
    let (log, missing) = if own {
        let mut log = Log { invalid_utf8: source.invalid_utf8(), ..Log::default() };
        super::own::read(source.text(), &mut log);
        let missing = missing(&log, input.summary);
        (log, missing)
    } else {
        let mut log = read(&source);
        log.routes[Route::Child as usize] = log.records.len() as u64;
        // Lines that no format explains are kept with the record above them, so nothing is lost with them.
        let missing = missing(&Log::default(), input.summary);
        (log, missing)
    };
    conclude(log, missing, rules, input, own)
}

fn conclude(
    mut log: Log<'_>,
    missing: Vec<Missing>,
    mut rules: Rules,
    input: &AnalysisInput<'_>,
    own: bool,
) -> Analysis {
    let loss = LossFacts {
        lost: input.summary.lost,
        holes: log.holes,
        torn: log.torn && own,
        partial: input.summary.partial.clone(),
        reasons: missing.iter().chain(&rules.losses).map(ToString::to_string).collect(),
    };
    rules.losses.extend(missing);
    let detected = detect(&mut log, &rules);
    let blocks = errors(&log);
    let (mut groups, seen) = group(&log, &blocks, input.expected);
    add_context(&log, &mut groups);
    let groups: Vec<ErrorGroup> = groups.into_iter().map(|(group, _)| group).collect();
    let mut digest = count_records(&log, &detected.totals, loss, input);
    fill(&mut digest, &log, &detected);
    let announced = groups.iter().filter(|group| group.expected).count() as u64;
    digest.errors = ErrorCounts {
        unique: groups.len() as u64,
        occurrences: groups.iter().map(|group| group.count).sum(),
        expected: announced,
        unexpected: groups.len() as u64 - announced,
        announced_but_absent: input
            .expected
            .iter()
            .zip(seen)
            .filter(|(_, seen)| !seen)
            .map(|(text, _)| (*text).to_owned())
            .collect(),
    };
    let findings = findings(&groups, &detected.verdicts, input);
    digest.detectors = detectors(&digest, &groups, &findings, &detected.verdicts, input);
    let differences = compare(&rules, &detected.profile);
    digest.comparisons =
        differences.iter().map(|(before, after, difference)| difference.counts(before, after)).collect();
    digest.history = rules.history;
    Analysis {
        digest,
        errors: groups,
        findings,
        profile: detected.profile,
        differences,
        references: Vec::new(),
        reproduce: input.reproduce.to_owned(),
        passed: input.passed,
    }
}

/// Compares the log with the last good run, and what else is to be compared.
fn compare(rules: &Rules, own: &Profile) -> Vec<(String, String, Difference)> {
    let last_good = rules.baseline.as_ref().map(|before| Comparison {
        before: Side { name: "the last good run".to_owned(), profile: Some(before.clone()) },
        after: Side { name: "this log".to_owned(), profile: None },
    });
    last_good
        .iter()
        .chain(&rules.comparisons)
        .map(|Comparison { before, after }| {
            let profile = |side: &'_ Side| side.profile.clone().unwrap_or_else(|| own.clone());
            let difference = super::diff::compare(&profile(before), &profile(after));
            (before.name.clone(), after.name.clone(), difference)
        })
        .collect()
}

/// Templates that are listed.
const TEMPLATES: usize = 200;

/// What the neutral reading knows beyond the counts of records.
fn fill(digest: &mut LogDigest, log: &Log<'_>, detected: &Detected) {
    digest.formats = describe(log);
    digest.joined_lines = log.joined;
    digest.blank_lines = log.blank;
    digest.invalid_utf8 = log.invalid_utf8;
    digest.nul_bytes = log.nuls;
    digest.coloured_lines = log.coloured;
    digest.operations = detected.operations;
    digest.coarse_messages = detected.coarse;
    if !log.numbered {
        digest.parsed_percent = log.coverage();
    }
    let mut templates: Vec<TemplateCounts> = detected
        .templates
        .iter()
        .zip(&detected.facts)
        .map(|(template, facts)| TemplateCounts {
            id: format!("{:016x}", template.id),
            template: template.text.clone(),
            callsite: log.texts.get(template.scope).to_owned(),
            target: log.texts.get(facts.target).to_owned(),
            count: facts.levels.iter().sum(),
            levels: Level::ALL
                .iter()
                .map(|level| level.as_str())
                .chain(["none"])
                .zip(facts.levels)
                .filter(|(_, n)| *n > 0)
                .map(|(level, n)| (level.to_owned(), n))
                .collect(),
            bytes: facts.bytes,
            first_line: u64::from(facts.first_line),
            last_line: u64::from(facts.last_line),
        })
        .collect();
    templates.sort_by(|a, b| {
        b.count.cmp(&a.count).then_with(|| (&a.template, &a.callsite).cmp(&(&b.template, &b.callsite)))
    });
    digest.templates_omitted = templates.len().saturating_sub(TEMPLATES) as u64;
    templates.truncate(TEMPLATES);
    digest.templates = templates;
}

fn count_records(log: &Log<'_>, totals: &Totals, loss: LossFacts, input: &AnalysisInput<'_>) -> LogDigest {
    let records = totals.records;
    let names = || Level::ALL.iter().map(|level| level.as_str()).chain(["none"]);
    let mut levels: BTreeMap<String, u64> = names().map(|name| (name.to_owned(), 0)).collect();
    let mut targets = Vec::new();
    for (target, counts) in totals.targets.iter().enumerate().filter(|(_, counts)| **counts != [0; 7]) {
        for (name, n) in names().zip(counts) {
            *levels.entry(name.to_owned()).or_default() += n;
        }
        targets.push(TargetCounts {
            target: log.texts.get(target as u32).to_owned(),
            records: counts.iter().sum(),
            levels: names()
                .zip(*counts)
                .filter(|(_, n)| *n > 0)
                .map(|(name, n)| (name.to_owned(), n))
                .collect(),
        });
    }
    let routes = Route::ALL
        .iter()
        .zip(log.routes)
        .filter(|(_, n)| *n > 0)
        .map(|(route, n)| (route.to_string(), n))
        .collect();
    targets.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.target.cmp(&b.target)));
    let targets_omitted = targets.len().saturating_sub(TARGETS) as u64;
    targets.truncate(TARGETS);
    let time = |micros: i64| timestamp(micros.max(0) as u64);
    let span = totals.span.map(|(first, last)| (last - first) as f64 / 1e6);
    let failed = levels[Level::Error.as_str()] + levels[Level::Critical.as_str()];
    LogDigest {
        format: 1,
        test: input.test.to_owned(),
        slug: input.slug.to_owned(),
        log: input.log.to_owned(),
        passed: input.passed,
        lines: log.lines,
        records,
        unparsed_lines: log.unparsed,
        parsed_percent: (log.lines > 0).then(|| (log.lines - log.unparsed) as f64 * 100.0 / log.lines as f64),
        levels,
        routes,
        targets,
        targets_omitted,
        first: totals.span.map(|(first, _)| time(first)),
        last: totals.span.map(|(_, last)| time(last)),
        span_seconds: span,
        records_per_second: span.filter(|span| *span > 0.0).map(|span| records as f64 / span),
        error_rate: (records > 0).then(|| failed as f64 / records as f64),
        timeline: totals.span.and_then(|(first, last)| timeline(log, records, first, last)),
        errors: ErrorCounts::default(),
        loss,
        detectors: Vec::new(),
        formats: String::new(),
        joined_lines: 0,
        blank_lines: 0,
        invalid_utf8: 0,
        nul_bytes: 0,
        coloured_lines: 0,
        operations: 0,
        templates: Vec::new(),
        templates_omitted: 0,
        coarse_messages: 0,
        history: Vec::new(),
        comparisons: Vec::new(),
    }
}

/// How many records came when.
fn timeline(log: &Log<'_>, records: u64, first: i64, last: i64) -> Option<LogTimeline> {
    // Fewer parts than records: a part of its own for each says nothing of their number.
    let parts = usize::try_from(records / 2).unwrap_or(PARTS).clamp(2, PARTS);
    let span = u64::try_from(last.checked_sub(first)?).ok().filter(|span| *span > 0)?;
    let width = span.div_ceil(parts as u64);
    let mut timeline = LogTimeline {
        width_seconds: width as f64 / 1e6,
        records: vec![0; parts],
        warnings: vec![0; parts],
        errors: vec![0; parts],
    };
    for record in log.records.iter().filter(|record| record.is_event() && record.micros != NO_TIME) {
        let since = (record.micros - first) as u64;
        let part = usize::try_from(since / width).unwrap_or(parts).min(parts - 1);
        timeline.records[part] += 1;
        match record.level {
            Some(Level::Error | Level::Critical) => timeline.errors[part] += 1,
            Some(Level::Warning) => timeline.warnings[part] += 1,
            _ => {}
        }
    }
    Some(timeline)
}

/// Everything that speaks against the log being whole.
fn missing(log: &Log<'_>, summary: &LogSummary) -> Vec<Missing> {
    let records: u64 = log.routes.iter().sum();
    let mut missing: Vec<Missing> = summary.partial.iter().cloned().map(Missing::Partial).collect();
    let mut told = |text: String| missing.push(Missing::Told(text));
    if summary.lost > 0 {
        told(format!("{} could not be written", count(summary.lost, "record", "records")));
    }
    if log.holes > 0 {
        told(format!("{} missing in the file", count(log.holes, "record number is", "record numbers are")));
    }
    // A task that outlives its test may add records after capture was asked; those are no loss.
    if records < summary.records {
        told(format!(
            "capture wrote {} and the file holds {records}",
            count(summary.records, "record", "records")
        ));
    }
    if log.torn {
        told("the last line was cut".to_owned());
    }
    let strange = log.unparsed - u64::from(log.torn);
    if strange > 0 {
        told(format!("{} no record", count(strange, "line is part of", "lines are part of")));
    }
    missing
}

#[cfg(test)]
#[path = "analysis_tests.rs"]
mod tests;
