//! What was measured: latency as distribution and percentiles, throughput, values.

use serde_json::Value;

use super::super::chart::{Line, Mark, Plot, Scale, Unit};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{duration, list, natural, number, short, text};
use crate::markdown::count;

/// Series that are drawn; all are in the table.
const DRAWN: usize = 12;

/// Names of files that have a part of their own below.
const OWN: &[&str] = &["latency", "throughput", "values"];

pub fn section(m: &mut Markup, folder: &Folder) {
    let named = |name: &str| folder.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    m.element("h3", &[], "Latency");
    match named("latency") {
        Some(document) => latency(m, folder, document),
        None => m.absent("Not measured: no test timed an operation."),
    }
    m.element("h3", &[], "Throughput");
    match named("throughput") {
        Some(document) => throughput(m, folder, document),
        None => m.absent("Not measured: no test counted operations over a time."),
    }
    m.element("h3", &[], "Values");
    match named("values") {
        Some(document) => values(m, folder, document),
        None => m.absent("Not measured: no test recorded a number."),
    }
    m.element("h3", &[], "Load, degradation, resources");
    let others: Vec<_> = folder.metrics.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).collect();
    if others.is_empty() {
        m.absent("Not measured: no curve of degradation, no rate of errors over time and no use of resources was recorded.");
    }
    for (name, _) in others {
        m.within("p", &[], |m| {
            m.link(folder.existing(&format!("results/metrics/{name}.json")), &format!("{name}.json"))
        });
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
            let value = &one["percentiles"][point];
            time(m, number(value, "value"), &text(value, "reason"));
        }
        time(m, number(one, "max"), "–");
    });
    let mut drawn = 0;
    for one in series.iter().filter(|one| list(one, "cdf").len() > 1).take(DRAWN) {
        distribution(m, one);
        drawn += 1;
    }
    let rest = series.len() - drawn;
    if rest > 0 {
        m.absent(&format!(
            "{} of {} not drawn: too few samples for a distribution, or beyond the first {DRAWN}.",
            rest,
            count(series.len(), "series", "series")
        ));
    }
}

fn time(m: &mut Markup, nanos: Option<f64>, otherwise: &str) {
    m.number(nanos, &nanos.map_or_else(|| otherwise.to_owned(), duration));
}

/// `p99.9` as a share of one.
fn share(point: &str) -> f64 {
    point.trim_start_matches('p').parse::<f64>().map_or(2.0, |percent| percent / 100.0)
}

fn distribution(m: &mut Markup, one: &Value) {
    let points: Vec<(f64, f64)> = list(one, "cdf")
        .iter()
        .filter_map(|point| Some((point.get(1)?.as_f64()?, point.get(0)?.as_f64()?)))
        .collect();
    let percentiles: Vec<(String, f64)> = one["percentiles"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), number(value, "value")?)))
        .collect();
    let said: Vec<String> =
        percentiles.iter().map(|(name, value)| format!("{name} {}", duration(*value))).collect();
    let title = format!("Latency of {}.", text(one, "series"));
    let words = format!(
        "{} of {}; {}{}greatest {}.",
        count(natural(one, "count"), "sample", "samples"),
        text(one, "test"),
        said.join(", "),
        if said.is_empty() { "" } else { ", " },
        duration(number(one, "max").unwrap_or_default())
    );
    Plot {
        title: &title,
        words: &words,
        x: ("latency", Scale::around(Unit::Nanos, points.iter().map(|point| point.0))),
        y: ("share of samples", Scale::from_zero(Unit::Share, [1.0])),
        marks: &percentiles
            .iter()
            .map(|(name, value)| Mark { name: name.clone(), at: (*value, share(name)) })
            .collect::<Vec<_>>(),
        lines: &[Line { name: text(one, "series"), points, steps: true, dots: false }],
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
