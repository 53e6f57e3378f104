//! What can be concluded from a test's log. Every detector says what came of it, also where it could not conclude.

use std::collections::{BTreeMap, HashMap};

use super::detect::{Detected, detect, takes_back, tells_of_failure};
use super::detectors::{detectors, findings};
use super::digest::{ErrorCounts, LogDigest, LogTimeline, LossFacts, TargetCounts, TemplateCounts};
use super::event::{Kind as RecordKind, Log, NO_TIME};
use super::format::{Level, LogRecord, ParsedLog, Route, parse, timestamp};
use super::own::neutral;
use super::profile::Profile;
use super::read::{Source, describe, is_own, read};
use super::rules::Rules;
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
    /// How it differs from the log of the last good run.
    pub(crate) difference: Option<super::diff::Difference>,
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
    let own = is_own(source.text());
    let mut rules = input.rules.cloned().unwrap_or_default();
    rules.passed = rules.passed.or(input.passed);
    if own {
        let parsed = parse(source.text());
        let mut log = Log { invalid_utf8: source.invalid_utf8(), ..Log::default() };
        neutral(&parsed, &mut log);
        rules.losses.extend(loss(&parsed, input.summary).reasons);
        let detected = detect(&mut log, &rules);
        return conclude(&parsed, &log, detected, &rules, input);
    }
    let mut log = read(&source);
    // Lines that no format explains are kept with the record above them, so nothing is lost with them.
    let known = loss(&ParsedLog { lines: log.lines, ..ParsedLog::default() }, input.summary);
    rules.losses.extend(known.reasons);
    let detected = detect(&mut log, &rules);
    let parsed = as_records(&log);
    conclude(&parsed, &log, detected, &rules, input)
}

fn conclude(
    parsed: &ParsedLog<'_>,
    log: &Log<'_>,
    detected: Detected,
    rules: &Rules,
    input: &AnalysisInput<'_>,
) -> Analysis {
    let blocks = errors(&parsed.records);
    let (mut groups, seen) = group(parsed, &blocks, input.expected);
    add_context(parsed, &mut groups);
    let groups: Vec<ErrorGroup> = groups.into_iter().map(|(group, _)| group).collect();
    let mut digest = count_records(parsed, input);
    fill(&mut digest, log, &detected);
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
    let difference = rules.baseline.as_ref().map(|before| super::diff::compare(before, &detected.profile));
    Analysis {
        digest,
        errors: groups,
        findings,
        profile: detected.profile,
        difference,
        reproduce: input.reproduce.to_owned(),
        passed: input.passed,
    }
}

/// Records of any format as those of our own, for what looks at single records.
fn as_records<'l>(log: &'l Log<'_>) -> ParsedLog<'l> {
    let mut parsed = ParsedLog { unparsed: log.unparsed, lines: log.lines, ..ParsedLog::default() };
    for record in &log.records {
        if !matches!(record.kind, RecordKind::Event | RecordKind::Raw) {
            continue;
        }
        let mut message = std::borrow::Cow::Borrowed(record.message.as_ref());
        if !record.extra.is_empty() {
            let message = message.to_mut();
            message.push('\n');
            message.push_str(record.extra);
        }
        let failed = record.level.is_some_and(|level| level >= Level::Error);
        // Only what is looked at needs its fields.
        let mut fields = Vec::new();
        if failed {
            fields.extend(log.fields_of(record).iter().map(|(key, value)| {
                (std::borrow::Cow::Borrowed(log.texts.get(*key)), std::borrow::Cow::Borrowed(value.as_ref()))
            }));
        }
        // An exception is a field where records are objects.
        for (key, value) in log.fields_of(record) {
            if matches!(log.texts.get(*key), "exception" | "exc_info" | "traceback" | "stack_trace" | "stack")
                && value.contains('\n')
            {
                let message = message.to_mut();
                message.push('\n');
                message.push_str(value);
            }
        }
        parsed.records.push(LogRecord {
            seq: record.seq,
            micros: if record.micros == NO_TIME { 0 } else { record.micros.max(0) as u64 },
            level: record.level,
            thread: log.texts.get(record.thread).into(),
            span: log.texts.get(record.span).into(),
            target: log.texts.get(record.target).into(),
            message,
            fields,
            ..LogRecord::new(Route::Child)
        });
        parsed.at_line.push(u64::from(record.line));
    }
    parsed
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
    if log.seq_free() {
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

fn count_records(log: &ParsedLog<'_>, input: &AnalysisInput<'_>) -> LogDigest {
    let name = |level: Option<Level>| level.map_or("none", Level::as_str);
    let mut levels: BTreeMap<String, u64> = Level::ALL.iter().map(|level| (level.to_string(), 0)).collect();
    levels.insert("none".to_owned(), 0);
    let mut routes = BTreeMap::new();
    let mut targets: HashMap<&str, BTreeMap<&str, u64>> = HashMap::new();
    let (mut first, mut last) = (u64::MAX, 0);
    for record in &log.records {
        *targets.entry(&record.target).or_default().entry(name(record.level)).or_default() += 1;
        *routes.entry(record.route.to_string()).or_default() += 1;
        (first, last) = (first.min(record.micros), last.max(record.micros));
    }
    for by_level in targets.values() {
        for (level, n) in by_level {
            *levels.entry((*level).to_owned()).or_default() += n;
        }
    }
    let mut targets: Vec<TargetCounts> = targets
        .into_iter()
        .map(|(target, levels)| TargetCounts {
            target: target.to_owned(),
            records: levels.values().sum(),
            levels: levels.into_iter().map(|(level, n)| (level.to_owned(), n)).collect(),
        })
        .collect();
    targets.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.target.cmp(&b.target)));
    let targets_omitted = targets.len().saturating_sub(TARGETS) as u64;
    targets.truncate(TARGETS);
    let records = log.records.len() as u64;
    let span = (records > 0).then(|| (last - first) as f64 / 1e6);
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
        first: (records > 0).then(|| timestamp(first)),
        last: (records > 0).then(|| timestamp(last)),
        span_seconds: span,
        records_per_second: span.filter(|span| *span > 0.0).map(|span| records as f64 / span),
        error_rate: (records > 0).then(|| failed as f64 / records as f64),
        timeline: timeline(log, first, last),
        errors: ErrorCounts::default(),
        loss: loss(log, input.summary),
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
    }
}

/// How many records came when.
fn timeline(log: &ParsedLog<'_>, first: u64, last: u64) -> Option<LogTimeline> {
    // Fewer parts than records: a part of its own for each says nothing of their number.
    let parts = (log.records.len() / 2).clamp(2, PARTS);
    let width = last.checked_sub(first).filter(|span| *span > 0)?.div_ceil(parts as u64);
    let mut timeline = LogTimeline {
        width_seconds: width as f64 / 1e6,
        records: vec![0; parts],
        warnings: vec![0; parts],
        errors: vec![0; parts],
    };
    for record in &log.records {
        let part = usize::try_from((record.micros - first) / width).unwrap_or(parts).min(parts - 1);
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
fn loss(log: &ParsedLog<'_>, summary: &LogSummary) -> LossFacts {
    let records = log.records.len() as u64;
    let holes = log.holes();
    let mut reasons = Vec::new();
    if let Some(why) = &summary.partial {
        reasons.push(format!("{}: {why}", super::detectors::PARTIAL));
    }
    if summary.lost > 0 {
        reasons.push(format!("{} could not be written", count(summary.lost, "record", "records")));
    }
    if holes > 0 {
        reasons
            .push(format!("{} missing in the file", count(holes, "record number is", "record numbers are")));
    }
    // A task that outlives its test may add records after capture was asked; those are no loss.
    if records < summary.records {
        reasons.push(format!(
            "capture wrote {} and the file holds {records}",
            count(summary.records, "record", "records")
        ));
    }
    if log.torn {
        reasons.push("the last line was cut".to_owned());
    }
    let strange = log.unparsed - u64::from(log.torn);
    if strange > 0 {
        reasons.push(format!("{} no record", count(strange, "line is part of", "lines are part of")));
    }
    LossFacts { lost: summary.lost, holes, torn: log.torn, partial: summary.partial.clone(), reasons }
}

/// Groups errors, and says which announced texts were seen. Each group comes with the index of its first record.
fn group(log: &ParsedLog<'_>, blocks: &[Block], expected: &[&str]) -> (Vec<(ErrorGroup, usize)>, Vec<bool>) {
    let mut groups: Vec<(ErrorGroup, usize)> = Vec::new();
    let mut by_key: HashMap<(bool, Kind, &str, String), usize> = HashMap::new();
    let mut seen = vec![false; expected.len()];
    for block in blocks {
        let record = &log.records[block.first];
        // A panic that the test announced carries the announcement.
        let mut is_expected = record.target == PANIC_TARGET
            && record.fields.iter().any(|(k, v)| k == "expected" && v == "true");
        for (text, seen) in expected.iter().zip(&mut seen) {
            let holds =
                block.text.contains(text) || record.fields.iter().any(|(_, value)| value.contains(text));
            *seen |= holds;
            is_expected |= holds;
        }
        let mut key = masked(&block.headline);
        if let Some(cause) = &block.cause {
            key.push_str(" / ");
            key.push_str(&masked(cause));
        }
        let at = log.records[block.last].micros.max(record.micros);
        match by_key.entry((is_expected, block.kind, &record.target, key)) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let (group, _) = &mut groups[*known.get()];
                group.count += 1;
                group.last = timestamp(at);
                if group.lines.len() < LINES {
                    group.lines.push(log.at_line[block.first]);
                }
            }
            std::collections::hash_map::Entry::Vacant(new) => {
                let group = ErrorGroup {
                    kind: block.kind,
                    key: new.key().3.clone(),
                    level: record.level,
                    target: record.target.to_string(),
                    span: record.span.to_string(),
                    expected: is_expected,
                    count: 1,
                    first: timestamp(record.micros),
                    last: timestamp(at),
                    line: log.at_line[block.first],
                    lines: vec![log.at_line[block.first]],
                    sample: block.text.clone(),
                    fields: record.fields.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
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
fn add_context(log: &ParsedLog<'_>, groups: &mut [(ErrorGroup, usize)]) {
    if groups.is_empty() {
        return;
    }
    let mut spans: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut targets: HashMap<&str, Vec<usize>> = HashMap::new();
    for (group, _) in groups.iter().take(GROUPS) {
        spans.entry(&group.span).or_default();
        targets.entry(&group.target).or_default();
    }
    // The keys borrow from the groups, which are changed below: keep only what belongs to each.
    for (index, record) in log.records.iter().enumerate() {
        if let Some(of_span) = spans.get_mut(&*record.span) {
            of_span.push(index);
        }
        if let Some(of_target) = targets.get_mut(&*record.target) {
            of_target.push(index);
        }
    }
    let chosen: Vec<(&'static str, Vec<usize>)> = groups
        .iter()
        .take(GROUPS)
        .map(|(group, first)| {
            let own = |list: &[usize]| {
                let at = list.partition_point(|index| index < first);
                list[at.saturating_sub(CONTEXT)..(at + 1 + CONTEXT).min(list.len())].to_vec()
            };
            let of_span =
                spans.get(group.span.as_str()).filter(|list| !group.span.is_empty() && list.len() > 1);
            let of_target = targets.get(group.target.as_str()).filter(|list| list.len() > 1);
            match (of_span, of_target) {
                (Some(list), _) => ("span", own(list)),
                (None, Some(list)) => ("target", own(list)),
                (None, None) => {
                    let end = (first + 1 + CONTEXT).min(log.records.len());
                    ("file", (first.saturating_sub(CONTEXT)..end).collect())
                }
            }
        })
        .collect();
    for ((group, first), (by, indexes)) in groups.iter_mut().zip(chosen) {
        group.context_by = by;
        group.context = indexes
            .into_iter()
            .map(|index| (log.at_line[index], one_line(&log.records[index]), index == *first))
            .collect();
    }
}

/// A record as context shows it: cut, because a context is there to be skimmed.
fn one_line(record: &LogRecord<'_>) -> String {
    let level = record.level.map_or("-", Level::as_str);
    let mut text = format!("{} {level} {}: ", timestamp(record.micros), record.target);
    text.extend(record.message.chars().take(300).map(|c| if c == '\n' { '⏎' } else { c }));
    for (key, value) in record.fields.iter().take(8) {
        text.push_str(&format!(" {key}="));
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
