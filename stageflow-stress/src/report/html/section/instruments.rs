//! Resources over time, and what was compared with targets, with the truth, or with a model.

use serde_json::Value;

use super::super::chart::{Line, Plot, Scale, Unit};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, natural, number, plain, short, text, texts};
use super::badge;
use crate::markdown::count;

/// Watches that are drawn; the file has all.
const DRAWN: usize = 8;

/// `resource_usage.json`: memory, processor, threads and files over time, and what rises.
pub fn resources(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/resource_usage.json"]);
    let entries = list(document, "entries");
    for one in entries.iter().take(DRAWN) {
        let (samples, missed) = (natural(one, "samples"), natural(one, "missed"));
        let every = number(one, "interval_seconds")
            .map_or_else(String::new, |seconds| format!(" every {} s", short(seconds)));
        m.paragraph(&format!(
            "{} of {}: {}{every}, {missed} due and not taken.",
            text(one, "name"),
            text(one, "test"),
            count(samples, "sample", "samples")
        ));
        m.within("div", &[("class", "charts")], |m| {
            lines(
                m,
                one,
                "Memory",
                ("bytes", Unit::Bytes),
                &[("rss_bytes", "resident"), ("heap_bytes", "heap")],
            );
            processor(m, one);
            lines(
                m,
                one,
                "Threads, files and tasks",
                ("number", Unit::Number),
                &[("threads", "threads"), ("fds", "open files"), ("tasks", "tasks")],
            );
        });
        let trends = list(one, "trends");
        if !trends.is_empty() {
            m.table(
                "Trends",
                &["Resource", "Per", "Slope", "95 % interval", "Trend", "Why not"],
                trends,
                |m, trend| {
                    m.cell(&text(trend, "resource").replace('_', " "));
                    m.cell(&text(trend, "per"));
                    m.number(
                        number(trend, "slope"),
                        &number(trend, "slope").map_or_else(|| "not measured".to_owned(), short),
                    );
                    m.cell(&interval(trend));
                    m.within("td", &[], |m| badge(m, "trend", &text(trend, "trend")));
                    m.cell(&text(trend, "reason"));
                },
            );
        }
    }
    if entries.len() > DRAWN {
        m.absent(&format!(
            "{} not drawn.",
            count(entries.len() - DRAWN, "more watch is", "more watches are")
        ));
    }
}

/// The points of a column over time: only what was measured.
fn column(one: &Value, name: &str) -> Vec<(f64, f64)> {
    let at = |wanted: &str| list(one, "columns").iter().position(|column| column == wanted);
    let (Some(x), Some(y)) = (at("at_seconds"), at(name)) else { return Vec::new() };
    list(one, "rows").iter().filter_map(|row| Some((row.get(x)?.as_f64()?, row.get(y)?.as_f64()?))).collect()
}

fn lines(m: &mut Markup, one: &Value, what: &str, y: (&str, Unit), columns: &[(&str, &str)]) {
    let (mut lines, mut absent) = (Vec::new(), Vec::new());
    for (column_name, name) in columns {
        let points = column(one, column_name);
        if points.len() > 1 {
            lines.push(Line { name: (*name).to_owned(), points, steps: false, dots: false });
        } else {
            absent.push(*name);
        }
    }
    let title = format!("{what} of {} over time.", text(one, "name"));
    let absent =
        if absent.is_empty() { String::new() } else { format!(" Not measured: {}.", absent.join(", ")) };
    if lines.is_empty() {
        m.absent(&format!("{title}{absent}"));
        return;
    }
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            let (first, last) = (line.points[0].1, line.points[line.points.len() - 1].1);
            format!("{} from {} to {}", line.name, y.1.show(first), y.1.show(last))
        })
        .collect();
    draw(m, &title, &format!("{}.{absent}", said.join(", ")), y, &lines);
}

/// Seconds of processor time per second, from one sample to the next.
fn processor(m: &mut Markup, one: &Value) {
    let used = column(one, "cpu_seconds");
    let points: Vec<(f64, f64)> = used
        .windows(2)
        .filter(|pair| pair[1].0 > pair[0].0)
        .map(|pair| (pair[1].0, (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)))
        .collect();
    let title = format!("Processor of {} over time.", text(one, "name"));
    if points.len() < 2 {
        m.absent(&format!("{title} Not measured: processor time."));
        return;
    }
    let total = used[used.len() - 1].1 - used[0].1;
    let words = format!("{} s of processor time in all; 1 is one core.", short(total));
    draw(
        m,
        &title,
        &words,
        ("cores", Unit::Number),
        &[Line { name: "cores in use".to_owned(), points, steps: false, dots: false }],
    );
}

fn draw(m: &mut Markup, title: &str, words: &str, y: (&str, Unit), lines: &[Line]) {
    let all = || lines.iter().flat_map(|line| &line.points);
    Plot {
        title,
        words,
        x: ("seconds", Scale::from_zero(Unit::Number, all().map(|point| point.0))),
        y: (y.0, Scale::from_zero(y.1, all().map(|point| point.1))),
        lines,
        marks: &[],
    }
    .draw(m);
}

fn interval(value: &Value) -> String {
    match (number(value, "low"), number(value, "high")) {
        (Some(low), Some(high)) => format!("{} to {}", short(low), short(high)),
        _ => String::new(),
    }
}

/// `targets.json`: measurements compared with targets.
pub fn targets(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/targets.json"]);
    m.table(
        "Targets",
        &["Test", "Quantity", "Target", "Measured", "95 % interval", "n", "Decision", "Why"],
        list(document, "entries"),
        |m, one| {
            let measured = &one["measured"];
            m.cell(&text(one, "test"));
            let of_entry = if one["of_entry"] == true { " (of the entry)" } else { "" };
            m.cell(&format!("{}{of_entry}", text(one, "quantity")));
            m.cell(&format!(
                "{} {} {}",
                text(one, "comparison"),
                text(one, "bound"),
                text(one, "bound_unit")
            ));
            let value = number(measured, "value");
            m.number(
                value,
                &value.map_or_else(
                    || "not measured".to_owned(),
                    |value| format!("{} {}", short(value), text(measured, "unit")),
                ),
            );
            m.cell(&interval(measured));
            m.number(number(measured, "n"), &text(measured, "n"));
            m.within("td", &[], |m| badge(m, "decision", &text(one, "decision")));
            m.cell(&text(one, "why"));
        },
    );
}

/// `quality.json`: decisions compared with the truth.
pub fn quality(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/quality.json"]);
    for one in list(document, "entries") {
        m.paragraph(&format!(
            "{} of {} ({}): {}",
            text(one, "name"),
            text(one, "test"),
            text(one, "kind").replace('_', " "),
            plain(&one["counts"]).replace(['{', '}', '"', '\n'], "").trim()
        ));
        m.table(
            "Figures",
            &["Figure", "Value", "95 % interval", "n", "Method", "Why not"],
            list(one, "figures"),
            |m, figure| {
                m.cell(&text(figure, "name"));
                let value = number(figure, "value");
                m.number(value, &value.map_or_else(|| "not measured".to_owned(), short));
                m.cell(&interval(figure));
                m.number(number(figure, "n"), &text(figure, "n"));
                m.cell(&text(figure, "method"));
                m.cell(&text(figure, "reason"));
            },
        );
    }
}

/// `checkers.json`: histories that were checked.
pub fn checkers(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/checkers.json"]);
    m.table(
        "Checkers",
        &["Test", "Name", "Checker", "Looked at", "Verdict", "Why", "Witness"],
        list(document, "entries"),
        |m, one| {
            m.cell(&text(one, "test"));
            m.cell(&text(one, "name"));
            m.cell(&text(one, "checker"));
            m.number(number(one, "looked_at"), &text(one, "looked_at"));
            m.within("td", &[], |m| badge(m, "decision", &text(one, "verdict")));
            m.cell(&text(one, "why"));
            m.within("td", &[("class", "wide")], |m| {
                let witness = texts(one, "witness");
                if !witness.is_empty() {
                    m.within("details", &[], |m| {
                        m.element("summary", &[], &count(witness.len(), "line", "lines"));
                        m.pre(&witness.join("\n"));
                    });
                }
            });
        },
    );
}
