//! The three files that an analysis writes: numbers, errors, and a page to read.

use serde_json::{Value, json};

use super::analysis::Analysis;
use super::format::Level;
use super::groups::{ErrorGroup, GROUPS};
use crate::markdown::{Doc, Inline, count};

/// Errors that the page shows in full; the rest are in the file of errors.
const SHOWN: usize = 20;

impl Analysis {
    /// `{slug}_stats.json`.
    pub fn stats_json(&self) -> String {
        pretty(&self.digest)
    }

    /// `{slug}_errors.json`.
    pub fn errors_json(&self) -> String {
        let omitted = self.errors.iter().skip(GROUPS);
        pretty(&json!({
            "format": 1,
            "test": self.digest.test,
            "log": self.digest.log,
            "unique": self.digest.errors.unique,
            "occurrences": self.digest.errors.occurrences,
            "omitted": { "unique": omitted.clone().count(), "occurrences": omitted.map(|group| group.count).sum::<u64>() },
            "errors": self.errors.iter().take(GROUPS).map(error).collect::<Vec<_>>(),
        }))
    }

    /// `{slug}_analysis.md`.
    pub fn markdown(&self) -> String {
        let digest = &self.digest;
        let mut doc = Doc::default();
        doc.heading(1, Inline::default().text("Log analysis: ").text(&digest.test));
        let file = digest.log.rsplit('/').next().unwrap_or_default();
        doc.items([
            Inline::from("Log: ").link(file, file),
            match self.passed {
                Some(true) => "Test: passed",
                Some(false) => "Test: did not pass",
                None => "Test: none, the log stands alone",
            }
            .into(),
            format!(
                "{}, {}, {} that are part of no record",
                count(digest.lines, "line", "lines"),
                count(digest.records, "record", "records"),
                count(digest.unparsed_lines, "line", "lines")
            )
            .into(),
            format!("Understood: {}", or_unknown(digest.parsed_percent, "% of the lines")).into(),
            match (&digest.first, &digest.last) {
                (Some(first), Some(last)) => format!("From {first} to {last}").into(),
                _ => "Time: no records".into(),
            },
            format!("Rate: {}", or_unknown(digest.records_per_second, "records/s")).into(),
            format!(
                "Error rate: {}",
                or_unknown(digest.error_rate.map(|rate| rate * 100.0), "% of the records")
            )
            .into(),
        ]);
        doc.heading(2, "What is missing");
        if digest.loss.reasons.is_empty() {
            doc.line("Nothing that anybody noticed: every record that capture counted is in the file.");
        } else {
            doc.items(digest.loss.reasons.iter().map(String::as_str));
        }
        doc.heading(2, "Detectors");
        doc.table(
            ["Detector", "Looks at", "Outcome", "Why"],
            digest.detectors.iter().map(|detector| {
                [
                    detector.id.as_str().into(),
                    detector.name.as_str().into(),
                    detector.outcome.as_str().into(),
                    detector.why.as_str().into(),
                ]
            }),
        );
        self.observations_section(&mut doc);
        self.difference_section(&mut doc);
        self.templates_section(&mut doc);
        doc.heading(2, "Records by level");
        let levels = Level::ALL.iter().rev().map(|level| level.as_str()).chain(["none"]);
        doc.table(
            ["Level", "Records"],
            levels.map(|level| {
                let n = digest.levels.get(level).copied().unwrap_or_default();
                [level.into(), n.to_string().into()]
            }),
        );
        doc.heading(2, "Records by target");
        if digest.targets.is_empty() {
            doc.line("No records.");
        } else {
            doc.table(
                ["Target", "Records", "ERROR and CRITICAL"],
                digest.targets.iter().take(SHOWN).map(|target| {
                    let failed: u64 =
                        ["ERROR", "CRITICAL"].iter().filter_map(|level| target.levels.get(*level)).sum();
                    [
                        target.target.as_str().into(),
                        target.records.to_string().into(),
                        failed.to_string().into(),
                    ]
                }),
            );
            let more = digest.targets.len().saturating_sub(SHOWN) as u64 + digest.targets_omitted;
            if more > 0 {
                doc.line(format!("And {}.", count(more, "more target", "more targets")));
            }
        }
        self.errors_section(&mut doc);
        self.references_section(&mut doc);
        doc.heading(2, "How to reproduce");
        if self.reproduce.is_empty() {
            doc.line("Not recorded.");
        } else {
            doc.code("sh", &self.reproduce);
        }
        doc.finish()
    }

    /// What detectors saw, one entry per subject.
    fn observations_section(&self, doc: &mut Doc) {
        let seen = self.digest.detectors.iter().filter(|detector| !detector.observations.is_empty());
        let mut rows = Vec::new();
        for detector in seen {
            for observation in detector.observations.iter().take(SHOWN) {
                let lines: Vec<String> = observation.lines.iter().take(5).map(u32::to_string).collect();
                rows.push([
                    Inline::from(detector.id.as_str()),
                    observation.severity.as_str().into(),
                    observation.title.as_str().into(),
                    observation.text.as_str().into(),
                    observation.count.to_string().into(),
                    lines.join(", ").into(),
                ]);
            }
        }
        if !rows.is_empty() {
            doc.heading(2, "What detectors saw");
            doc.line("One row per subject, with all its occurrences. `info` is a note and makes no finding.");
            doc.table(["Detector", "Severity", "What", "Seen", "Times", "First lines"], rows);
        }
    }

    fn difference_section(&self, doc: &mut Doc) {
        for (before, after, difference) in &self.differences {
            doc.heading(2, Inline::default().text("Compared: ").text(before).text(" → ").text(after));
            super::public::difference(doc, difference, SHOWN);
        }
        let history = &self.digest.history;
        if history.is_empty() {
            return;
        }
        doc.heading(2, "Earlier executions");
        doc.table(
            ["Run", "Log", "Test", "Records", "Error rate", "Different errors", "Patterns", "Log is whole"],
            history.iter().map(|earlier| {
                [
                    earlier.run.as_str().into(),
                    earlier.log.as_str().into(),
                    match earlier.passed {
                        Some(true) => "passed",
                        Some(false) => "did not pass",
                        None => "unknown",
                    }
                    .into(),
                    earlier.records.to_string().into(),
                    or_unknown(earlier.error_rate.map(|rate| rate * 100.0), "%").into(),
                    earlier.errors.to_string().into(),
                    earlier.templates.to_string().into(),
                    if earlier.whole { "yes" } else { "no" }.into(),
                ]
            }),
        );
    }

    /// What else tells of the same test.
    fn references_section(&self, doc: &mut Doc) {
        if self.references.is_empty() {
            return;
        }
        doc.heading(2, "See also");
        doc.items(
            self.references
                .iter()
                .map(|(what, path)| Inline::from(format!("{what}: ")).link(path.as_str(), path.as_str())),
        );
    }

    fn templates_section(&self, doc: &mut Doc) {
        let digest = &self.digest;
        if digest.templates.is_empty() {
            return;
        }
        doc.heading(2, "Top patterns");
        doc.table(
            ["Pattern", "Id", "Records", "Target"],
            digest.templates.iter().take(SHOWN).map(|template| {
                [
                    short(&template.template).into(),
                    template.id.as_str().into(),
                    template.count.to_string().into(),
                    template.target.as_str().into(),
                ]
            }),
        );
        let more = digest.templates.len().saturating_sub(SHOWN) as u64 + digest.templates_omitted;
        if more > 0 {
            doc.line(format!("And {}.", count(more, "more pattern", "more patterns")));
        }
    }

    fn errors_section(&self, doc: &mut Doc) {
        let errors = &self.digest.errors;
        doc.heading(2, "Errors");
        doc.line(format!(
            "{} in {}: {} announced by the test, {} not.",
            count(errors.unique, "different error", "different errors"),
            count(errors.occurrences, "occurrence", "occurrences"),
            errors.expected,
            errors.unexpected
        ));
        if !errors.announced_but_absent.is_empty() {
            doc.line("Announced, and not seen in any error:");
            doc.items(errors.announced_but_absent.iter().map(String::as_str));
        }
        for group in self.errors.iter().take(SHOWN) {
            doc.heading(3, short(&group.key));
            let announced = if group.expected { "announced" } else { "not announced" };
            doc.line(format!(
                "{} {} from {}, {}, {announced}; first at {} on line {}, last at {}.",
                group.level.map_or("-", Level::as_str),
                group.kind.as_str(),
                if group.target.is_empty() { "no target" } else { &group.target },
                count(group.count, "time", "times"),
                group.first,
                group.line,
                group.last
            ));
            doc.code("text", &cut(&group.sample));
            doc.line(format!("Around it, in the same {}:", group.context_by));
            let lines: Vec<String> = group
                .context
                .iter()
                .map(|(line, text, own)| format!("{} {line}: {text}", if *own { ">" } else { " " }))
                .collect();
            doc.code("text", &lines.join("\n"));
        }
        if self.errors.len() > SHOWN {
            let more = count(self.errors.len() - SHOWN, "more error is", "more errors are");
            let path = format!("{}_errors.json", self.digest.slug);
            doc.line(Inline::from(format!("{more} in ")).link(path.as_str(), path.as_str()).text("."));
        }
    }
}

fn error(group: &ErrorGroup) -> Value {
    json!({
        "kind": group.kind.as_str(),
        "key": group.key,
        "level": group.level,
        "target": group.target,
        "span": group.span,
        "expected": group.expected,
        "template_id": format!("{:016x}", super::hash::stable(&group.key)),
        "count": group.count,
        "first": group.first,
        "last": group.last,
        "line": group.line,
        "lines": group.lines,
        "detail": group.is_detail(),
        "sample": group.sample,
        "fields": group.fields.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
        "context_by": group.context_by,
        "context": group.context.iter()
            .map(|(line, text, own)| json!({ "line": line, "text": text, "is_error": own }))
            .collect::<Vec<_>>(),
    })
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn cut(text: &str) -> String {
    const LINES: usize = 60;
    let lines = text.split('\n').count();
    if lines <= LINES {
        return text.to_owned();
    }
    let shown: Vec<&str> = text.split('\n').take(LINES).collect();
    format!("{}\n… {} more", shown.join("\n"), count(lines - LINES, "line", "lines"))
}

fn or_unknown(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "not measurable".to_owned(), |value| format!("{value:.2} {unit}"))
}

fn pretty(value: &impl serde::Serialize) -> String {
    // Maps with text keys, texts and finite numbers: nothing here can fail to serialize.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
