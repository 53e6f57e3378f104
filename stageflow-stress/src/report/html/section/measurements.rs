//! What was measured: latency as distribution and percentiles, throughput, values.

use serde_json::Value;

use super::super::chart::{Line, Mark, Plot, Scale, Unit};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{duration, list, natural, number, short, text};
use super::{instruments, load};
use crate::markdown::count;

/// Series that are drawn; all are in the table.
const DRAWN: usize = 12;

/// Who shows a document.
type Shown = fn(&mut Markup, &Folder, &Value);

/// The files with a chart or a table of their own: name, heading, what it means that there is none, and who shows it.
const OWN: &[(&str, &str, &str, Shown)] = &[
    ("latency", "Latency", "no test timed an operation", latency),
    ("throughput", "Throughput", "no test counted operations over a time", throughput),
    ("values", "Values", "no test recorded a number", values),
    (
        "load",
        "Load",
        "no test put load on an operation, so there are no rates and no errors over time",
        load::loads,
    ),
    ("degradation", "Degradation", "no test raised the rate of a load, so there is no curve", load::curves),
    ("scaling", "Scaling", "no test timed growing sizes", load::scaling),
    (
        "resource_usage",
        "Resources",
        "nobody watched memory, processor, threads or files",
        instruments::resources,
    ),
    ("targets", "Targets", "no measurement was compared with a target", instruments::targets),
    ("quality", "Quality", "no decisions were compared with the truth", instruments::quality),
    ("checkers", "Checked histories", "no history was checked", instruments::checkers),
];

pub fn section(m: &mut Markup, folder: &Folder) {
    for (name, heading, absent, show) in OWN {
        m.element("h3", &[], heading);
        match folder.metrics.iter().find(|(known, _)| known == name) {
            Some((_, document)) => show(m, folder, document),
            None => m.absent(&format!("Not measured: {absent}.")),
        }
    }
    for (name, document) in folder.metrics.iter().filter(|(name, _)| !OWN.iter().any(|own| own.0 == name)) {
        m.element("h3", &[], &name.replace('_', " "));
        load::other(m, folder, name, document);
    }
}

fn latency(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/latency.json"]);
    let series = list(document, "series");
    let method = text(document, "method");
    if !method.is_empty() {
        m.paragraph(&format!(
            "Percentiles by {method}. One that the number of samples cannot support is not given."
        ));
    }
    let mut points = std::collections::BTreeSet::new();
    for one in series {
        points.extend(one["percentiles"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    let mut points: Vec<String> = points.into_iter().collect();
    points.sort_by(|a, b| share(a).total_cmp(&share(b)));
    let headings: Vec<&str> = ["Test", "Series", "n", "Min", "Mean"]
        .into_iter()
        .chain(points.iter().map(String::as_str))
        .chain(["Max"])
        .collect();
    m.table("Latency by series", &headings, series, |m, one| {
        m.cell(&text(one, "test"));
        m.cell(&text(one, "series"));
        m.number(number(one, "count"), &text(one, "count"));
        for key in ["min", "mean"] {
            time(m, number(one, key), "–");
        }
        for point in &points {
            percentile(m, &one["percentiles"][point]);
        }
        time(m, number(one, "max"), "–");
    });
    let mut drawn = 0;
    m.within("div", &[("class", "charts")], |m| {
        for one in series.iter().filter(|one| list(one, "cdf").len() > 1).take(DRAWN) {
            distribution(m, &format!("Latency of {}.", text(one, "series")), &text(one, "test"), one);
            drawn += 1;
        }
    });
    if series.len() > drawn {
        m.absent(&format!(
            "{} of {} not drawn: too few samples for a distribution, or beyond the first {DRAWN}.",
            series.len() - drawn,
            count(series.len(), "series", "series")
        ));
    }
}

/// A cell with a percentile, or why there is none.
pub fn percentile(m: &mut Markup, value: &Value) {
    let nanos = number(value, "value");
    let at_least = if value["at_least"] == true { "at least " } else { "" };
    m.number(
        nanos,
        &nanos.map_or_else(|| text(value, "reason"), |nanos| format!("{at_least}{}", duration(nanos))),
    );
}

/// A cell with a duration.
pub fn time(m: &mut Markup, nanos: Option<f64>, otherwise: &str) {
    m.number(nanos, &nanos.map_or_else(|| otherwise.to_owned(), duration));
}

/// `p99.9` as a share of one.
fn share(point: &str) -> f64 {
    point.trim_start_matches('p').parse::<f64>().map_or(2.0, |percent| percent / 100.0)
}

/// The distribution of times in `cdf`, with its percentiles. Nothing is drawn of fewer than two points.
pub fn distribution(m: &mut Markup, title: &str, test: &str, one: &Value) {
    let n = natural(one, "count");
    let points: Vec<(f64, f64)> = list(one, "cdf")
        .iter()
        .filter_map(|point| Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()? / n.max(1) as f64)))
        .collect();
    if points.len() < 2 {
        m.absent(&format!("{title} Not drawn: too few samples for a distribution."));
        return;
    }
    let mut percentiles: Vec<(String, f64)> = one["percentiles"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), number(value, "value")?)))
        .collect();
    percentiles.sort_by(|a, b| share(&a.0).total_cmp(&share(&b.0)));
    let said: Vec<String> =
        percentiles.iter().map(|(name, value)| format!("{name} {}", duration(*value))).collect();
    let words = format!(
        "{} of {test}; {}{}greatest {}.",
        count(n, "sample", "samples"),
        said.join(", "),
        if said.is_empty() { "" } else { ", " },
        duration(number(one, "max").unwrap_or_default())
    );
    Plot {
        title,
        words: &words,
        x: ("time", Scale::around(Unit::Nanos, points.iter().map(|point| point.0))),
        y: ("share of samples", Scale::from_zero(Unit::Share, [1.0])),
        marks: &percentiles
            .iter()
            .map(|(name, value)| Mark { name: name.clone(), at: (*value, share(name)) })
            .collect::<Vec<_>>(),
        lines: &[Line { name: "samples".to_owned(), points, steps: true, dots: false }],
    }
    .draw(m);
}

fn throughput(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/throughput.json"]);
    m.table(
        "Throughput by measurement",
        &["Test", "Series", "Operations", "Failed", "Over", "Attempted per second", "Succeeded per second"],
        list(document, "series"),
        |m, one| {
            m.cell(&text(one, "test"));
            m.cell(&text(one, "series"));
            m.number(number(one, "count"), &text(one, "count"));
            m.number(number(one, "failed"), &text(one, "failed"));
            time(m, number(one, "nanos"), "–");
            for key in ["attempted_per_second", "succeeded_per_second"] {
                let rate = number(one, key);
                m.number(rate, &rate.map_or_else(|| "no time".to_owned(), short));
            }
        },
    );
}

fn values(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/values.json"]);
    m.table("Measured numbers", &["Test", "Name", "Value", "Unit"], list(document, "values"), |m, one| {
        m.cell(&text(one, "test"));
        m.cell(&text(one, "name"));
        m.number(
            number(one, "value"),
            &number(one, "value").map_or_else(|| "not a number".to_owned(), short),
        );
        m.cell(&text(one, "unit"));
    });
}
