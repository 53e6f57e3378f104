//! What can be concluded from a test's log. Every detector says what came of it, also where it could not conclude.

use std::collections::{BTreeMap, HashMap};

use super::detect::{Detected, Totals, detect, takes_back, tells_of_failure};
use super::detectors::{detectors, findings};
use super::diff::Difference;
use super::digest::{ErrorCounts, LogDigest, LogTimeline, LossFacts, TargetCounts, TemplateCounts};
use super::event::{Log, NO_TIME, Record, Sym};
use super::format::{Level, Route, parse, timestamp};
use super::own::neutral;
use super::profile::Profile;
use super::read::{Source, describe, is_own, read};
use super::rules::{Comparison, Missing, Rules, Side};
use super::trace::{Block, Kind, PANIC_TARGET, errors};
use crate::finding::{Finding, mask};
use crate::journal::record::LogSummary;
use crate::markdown::count;

/// Records shown on either side of an error.
const CONTEXT: usize = 5;
/// How much of a line takes part in the comparison of errors.
const CONSIDERED: usize = 400;
/// Different errors that are written out.
pub(super) const GROUPS: usize = 500;
/// Lines that one error lists.
const LINES: usize = 200;
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

/// One error and all its occurrences.
#[derive(Debug, Clone)]
pub struct ErrorGroup {
    /// What it is.
    pub kind: Kind,
    /// The masked text by which occurrences are the same.
    pub key: String,
    /// Level of the first occurrence; absent for raw lines.
    pub level: Option<Level>,
    /// Target of the first occurrence.
    pub target: String,
    /// Span of the first occurrence.
    pub span: String,
    /// Whether the test announced it.
    pub expected: bool,
    /// Occurrences.
    pub count: u64,
    /// Time of the first occurrence.
    pub first: String,
    /// Time of the last occurrence.
    pub last: String,
    /// Line of the log on which the first occurrence begins.
    pub line: u64,
    /// Lines on which occurrences begin, the first ones.
    pub lines: Vec<u64>,
    /// The first occurrence, in full.
    pub sample: String,
    /// Fields of the first occurrence.
    pub fields: Vec<(String, String)>,
    /// What the context was chosen by: `span`, `target` or `file`.
    pub context_by: &'static str,
    /// Records around the first occurrence; its own first record is marked by the flag.
    pub context: Vec<(u64, String, bool)>,
}

/// Analyses the log of one test, or any other log.
pub fn analyze(bytes: &[u8], input: &AnalysisInput<'_>) -> Analysis {
    let source = Source::new(bytes);
    let mut rules = input.rules.cloned().unwrap_or_default();
    rules.passed = rules.passed.or(input.passed);
    let parsed;
    let own = is_own(source.text());
    let (log, missing) = if own {
        parsed = parse(source.text());
        let mut log = Log { invalid_utf8: source.invalid_utf8(), ..Log::default() };
        neutral(&parsed, &mut log);
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

/// Groups errors, and says which announced texts were seen. Each group comes with the index of its first record.
fn group(log: &Log<'_>, blocks: &[Block], expected: &[&str]) -> (Vec<(ErrorGroup, usize)>, Vec<bool>) {
    let mut groups: Vec<(ErrorGroup, usize)> = Vec::new();
    let mut by_key: HashMap<(bool, Kind, Sym, String), usize> = HashMap::new();
    let mut seen = vec![false; expected.len()];
    for block in blocks {
        let record = &log.records[block.first];
        // A panic that the test announced carries the announcement.
        let fields = log.fields_of(record);
        let mut is_expected = log.texts.get(record.target) == PANIC_TARGET
            && fields.iter().any(|(k, v)| log.texts.get(*k) == "expected" && v == "true");
        for (text, seen) in expected.iter().zip(&mut seen) {
            let holds = block.text.contains(text) || fields.iter().any(|(_, value)| value.contains(text));
            *seen |= holds;
            is_expected |= holds;
        }
        let mut key = masked(&block.headline);
        if let Some(cause) = &block.cause {
            key.push_str(" / ");
            key.push_str(&masked(cause));
        }
        let at = log.records[block.last].wall_micros().max(record.wall_micros());
        match by_key.entry((is_expected, block.kind, record.target, key)) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let (group, _) = &mut groups[*known.get()];
                group.count += 1;
                group.last = timestamp(at);
                if group.lines.len() < LINES {
                    group.lines.push(u64::from(record.line));
                }
            }
            std::collections::hash_map::Entry::Vacant(new) => {
                let group = ErrorGroup {
                    kind: block.kind,
                    key: new.key().3.clone(),
                    level: record.level,
                    target: log.texts.get(record.target).to_owned(),
                    span: log.texts.get(record.span).to_owned(),
                    expected: is_expected,
                    count: 1,
                    first: timestamp(record.wall_micros()),
                    last: timestamp(at),
                    line: u64::from(record.line),
                    lines: vec![u64::from(record.line)],
                    sample: block.text.clone(),
                    fields: fields
                        .iter()
                        .map(|(k, v)| (log.texts.get(*k).to_owned(), v.to_string()))
                        .collect(),
                    context_by: "file",
                    context: Vec::new(),
                };
                new.insert(groups.len());
                groups.push((group, block.first));
            }
        }
    }
    groups.sort_by_key(|(group, first)| (group.expected, *first));
    (groups, seen)
}

/// The text by which two occurrences are the same: masked as fingerprints are, so that one error of a log is one finding.
fn masked(line: &str) -> String {
    mask(&line.chars().take(CONSIDERED).collect::<String>())
}

/// Gives the errors that are written out the records around their first occurrence: of their span, else of their
/// target, else of the file.
fn add_context(log: &Log<'_>, groups: &mut [(ErrorGroup, usize)]) {
    if groups.is_empty() {
        return;
    }
    // Only records of the spans and targets that have errors are of interest.
    let mut spans: HashMap<Sym, Vec<usize>> = HashMap::new();
    let mut targets: HashMap<Sym, Vec<usize>> = HashMap::new();
    let mut wanted = vec![(false, false); log.texts.len()];
    for (_, first) in groups.iter().take(GROUPS) {
        let record = &log.records[*first];
        wanted[record.span as usize].0 = record.span != 0;
        wanted[record.target as usize].1 = true;
    }
    let mut events = Vec::new();
    for (index, record) in log.records.iter().enumerate().filter(|(_, record)| record.is_event()) {
        if wanted[record.span as usize].0 {
            spans.entry(record.span).or_default().push(index);
        }
        if wanted[record.target as usize].1 {
            targets.entry(record.target).or_default().push(index);
        }
        events.push(index);
    }
    let chosen: Vec<(&'static str, Vec<usize>)> = groups
        .iter()
        .take(GROUPS)
        .map(|(_, first)| {
            let own = |list: &[usize]| {
                let at = list.partition_point(|index| index < first);
                list[at.saturating_sub(CONTEXT)..(at + 1 + CONTEXT).min(list.len())].to_vec()
            };
            let record = &log.records[*first];
            let of_span = spans.get(&record.span).filter(|list| list.len() > 1);
            let of_target = targets.get(&record.target).filter(|list| list.len() > 1);
            match (of_span, of_target) {
                (Some(list), _) => ("span", own(list)),
                (None, Some(list)) => ("target", own(list)),
                (None, None) => ("file", own(&events)),
            }
        })
        .collect();
    for ((group, first), (by, indexes)) in groups.iter_mut().zip(chosen) {
        group.context_by = by;
        group.context = indexes
            .into_iter()
            .map(|index| {
                let record = &log.records[index];
                (u64::from(record.line), one_line(log, record), index == *first)
            })
            .collect();
    }
}

/// A record as context shows it: cut, because a context is there to be skimmed.
fn one_line(log: &Log<'_>, record: &Record<'_>) -> String {
    let level = record.level.map_or("-", Level::as_str);
    let mut text = format!("{} {level} {}: ", timestamp(record.wall_micros()), log.texts.get(record.target));
    let message = log.full_message(record);
    text.extend(message.chars().take(300).map(|c| if c == '\n' { '⏎' } else { c }));
    let fields = log.fields_of(record).iter().filter(|(_, value)| !record.holds(value));
    for (key, value) in fields.take(8) {
        text.push_str(&format!(" {}=", log.texts.get(*key)));
        text.extend(value.chars().take(80));
    }
    text
}

impl ErrorGroup {
    /// Whether it is no more than a value that goes with the error before it, or says of itself that it was dealt with.
    pub(super) fn is_detail(&self) -> bool {
        self.kind == Kind::Error && !tells_of_failure(&self.sample)
    }

    /// Whether it is a finding in a test that passed. Panics have findings of their own, and a trace below error level
    /// was told at the level that its author chose.
    pub(super) fn is_finding(&self) -> bool {
        !self.expected && matches!(self.kind, Kind::Error | Kind::Traceback) && !takes_back(&self.key)
    }
}

#[cfg(test)]
#[path = "analysis_tests.rs"]
mod tests;
