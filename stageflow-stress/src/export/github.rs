//! GitHub Actions: annotations for the files of a change, and the summary of a step.

use super::cases::{Fate, suites};
use super::markdown::{detail, problems, severities};
use super::{Exported, Item};
use crate::classify::Severity;
use crate::markdown::{Doc, count};

/// Bytes of a step's summary. GitHub refuses more than 1,024 KiB, all of it.
pub const BUDGET: usize = 1_000 * 1_024;
/// Annotations of one level that GitHub shows of a step.
const MOST: usize = 10;

/// The workflow commands that annotate the lines where findings were found, worst first: what is open and was seen by the
/// latest run. A finding that is accepted is a notice, since it does not make its test red.
pub fn annotations(exported: &Exported) -> String {
    let mut levels: [(&str, Vec<&Item>); 3] = [("error", vec![]), ("warning", vec![]), ("notice", vec![])];
    for item in &exported.items {
        if item.is_strength() || !item.is_open() || !item.in_latest_run {
            continue;
        }
        let level = match item.severity.known() {
            Some(Severity::Low | Severity::Info) => 2,
            _ if item.known.is_some() && !item.regression => 2,
            Some(Severity::Critical | Severity::High) => 0,
            Some(Severity::Medium) | None => 1,
        };
        levels[level].1.push(item);
    }
    let mut text = String::new();
    for (level, items) in levels {
        // An eleventh annotation would not be shown, so the tenth tells of the rest.
        let shown = if items.len() > MOST { MOST - 1 } else { items.len() };
        for item in &items[..shown] {
            let mut properties = Vec::new();
            if let Some((file, line)) = item.place.clone().or_else(|| exported.test_of(item)) {
                properties.push(format!("file={}", property(&exported.below_git_root(&file))));
                properties.push(format!("line={}", line.max(1)));
            }
            let title = format!("{} {} {}", item.id, item.severity, item.kind);
            properties.push(format!("title={}", property(&title)));
            let mut message = item.title.clone();
            if let Some(command) = item.reproduce() {
                message.push_str(&format!("\nreproduce: {command}"));
            }
            text.push_str(&format!("::{level} {}::{}\n", properties.join(","), data(&message)));
        }
        if shown < items.len() {
            let more = items.len() - shown;
            text.push_str(&format!("::{level} title={more} more::{more} more findings of this level are in the summary of the step\n"));
        }
    }
    text
}

/// A value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The summary of a step, worst first, within GitHub's limit.
pub fn summary(exported: &Exported) -> String {
    summary_within(exported, BUDGET)
}

/// The summary in at most so many bytes. What does not fit is counted.
pub fn summary_within(exported: &Exported, budget: usize) -> String {
    let mut doc = Doc::default();
    doc.heading(2, "Stress tests");
    let suites = suites(exported);
    let fates = |wanted: &[Fate]| {
        suites
            .iter()
            .flat_map(|suite| &suite.cases)
            .filter(|case| {
                case.class != "findings" && case.last().is_some_and(|last| wanted.contains(&last.fate))
            })
            .count()
            .to_string()
    };
    doc.table(
        ["Passed", "Failed", "Inconclusive", "Skipped", "Not run"],
        [[
            fates(&[Fate::Passed]).into(),
            fates(&[Fate::Failed, Fate::Died]).into(),
            fates(&[Fate::Inconclusive]).into(),
            fates(&[Fate::Skipped]).into(),
            fates(&[Fate::NotRun]).into(),
        ]],
    );
    doc.table(["Severity", "Open", "Settled"], severities(&exported.items));
    problems(&mut doc, exported);
    let mut text = commands_apart(&doc.finish());
    // Room for the line that tells of the rest.
    const REST: usize = 200;
    let items: Vec<&Item> =
        exported.items.iter().filter(|item| !item.is_strength() && item.is_open()).collect();
    for (n, item) in items.iter().enumerate() {
        let mut doc = Doc::default();
        detail(&mut doc, 4, item);
        let head = format!("{} {}: {}", item.id, item.severity, item.title);
        let block = format!(
            "\n<details><summary>{}</summary>\n\n{}\n</details>\n",
            html(&head),
            commands_apart(&doc.finish())
        );
        if text.len() + block.len() + REST > budget {
            let more = items.len() - n;
            let line = format!(
                "\n{} not shown: the summary of a step has a limit.\n",
                count(more, "more finding is", "more findings are")
            );
            if text.len() + line.len() <= budget {
                text.push_str(&line);
            }
            break;
        }
        text.push_str(&block);
    }
    text
}

/// Text within HTML, on one line.
fn html(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '`' | '*' | '_' | '|' | '[' | ']' | '~' | '$' | '\\' => {
                escaped.push_str(&format!("&#{};", u32::from(c)))
            }
            c if crate::markdown::is_invisible(c) => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text without lines that begin like a workflow command: where it is printed to a log, the runner would obey them.
fn commands_apart(text: &str) -> String {
    text.split('\n')
        .map(|line| {
            let start = line.len() - line.trim_start().len();
            if line[start..].starts_with("::") || line[start..].starts_with("##[") {
                format!("{}\u{200b}{}", &line[..start], &line[start..])
            } else {
                line.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_escaped() {
        assert_eq!(data("100% a\r\nb"), "100%25 a%0D%0Ab");
        assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
        assert_eq!(
            commands_apart("a\n::error::x\n  ::warning::y\nb::c"),
            "a\n\u{200b}::error::x\n  \u{200b}::warning::y\nb::c"
        );
    }
}
