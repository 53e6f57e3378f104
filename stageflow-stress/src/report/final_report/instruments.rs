//! What the instruments measured: loads, curves, resources, quality, targets, checked histories.

use serde_json::{Map, Value};

use crate::journal::record::Instrument;
use crate::markdown::{Doc, Inline};

use super::super::facts::Facts;
use super::super::words::{duration, short};
use super::NOT_RECORDED;

/// The measurements of an instrument, each with the test that made it.
fn of<'a>(facts: &Facts<'a>, instrument: Instrument) -> Vec<(&'a str, &'a Map<String, Value>)> {
    let tests = facts.state.tests.iter();
    tests
        .flat_map(|test| test.measured.iter().map(move |measured| (test.start.name.as_str(), measured)))
        .filter(|(_, measured)| measured.instrument == instrument)
        .map(|(test, measured)| (test, &measured.entry))
        .collect()
}

/// A table, or one line if there is nothing.
fn table<const N: usize>(doc: &mut Doc, headings: [&str; N], rows: Vec<[Inline; N]>) {
    if rows.is_empty() {
        doc.line(NOT_RECORDED);
    } else {
        doc.table(headings, rows);
    }
}

/// 4.1: decisions compared with the truth, and histories that were checked.
pub fn correctness(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Quality of decisions");
    let mut rows = Vec::new();
    for (test, one) in of(facts, Instrument::Quality) {
        for figure in one.get("figures").and_then(Value::as_array).into_iter().flatten() {
            rows.push([
                test.into(),
                text(one, "name"),
                field(figure, "name"),
                number(figure, "value"),
                interval(figure),
                field(figure, "n"),
                field(figure, "reason"),
            ]);
        }
    }
    table(doc, ["Test", "Set", "Figure", "Value", "95 % interval", "n", "Why not"], rows);
    doc.heading(4, "Checked histories");
    let rows = of(facts, Instrument::Checkers).into_iter().map(|(test, one)| {
        [
            test.into(),
            text(one, "name"),
            text(one, "checker"),
            text(one, "looked_at"),
            text(one, "verdict"),
            text(one, "why"),
        ]
    });
    table(doc, ["Test", "History", "Checker", "Looked at", "Verdict", "Why"], rows.collect());
}

/// 4.3: targets, loads and resources.
pub fn performance(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Measured against targets");
    let rows = of(facts, Instrument::Targets).into_iter().map(|(test, one)| {
        let measured = &one.get("measured").cloned().unwrap_or_default();
        let target = format!(
            "{} {} {}",
            plain(one.get("comparison")),
            plain(one.get("bound")),
            plain(one.get("bound_unit"))
        );
        [
            test.into(),
            text(one, "quantity"),
            target.into(),
            format!("{} {}", show(measured.get("value")), plain(measured.get("unit"))).into(),
            interval(measured),
            text(one, "decision"),
            text(one, "why"),
        ]
    });
    table(
        doc,
        ["Test", "Quantity", "Target", "Measured", "95 % interval", "Decision", "Why"],
        rows.collect(),
    );
    doc.heading(4, "Load");
    let rows = of(facts, Instrument::Load).into_iter().map(|(test, one)| {
        let counts = one.get("counts").cloned().unwrap_or_default();
        let times = one
            .get("response")
            .filter(|times| times.is_object())
            .or(one.get("service"))
            .cloned()
            .unwrap_or_default();
        let percentile = |point: &str| {
            let value = &times["percentiles"][point];
            match value["value"].as_f64() {
                Some(nanos) if value["at_least"] == true => format!("at least {}", duration(nanos)).into(),
                Some(nanos) => duration(nanos).into(),
                None => field(value, "reason"),
            }
        };
        let valid = if one.get("valid") == Some(&Value::Bool(true)) {
            "yes".to_owned()
        } else {
            format!("no: {}", plain(one.get("reasons")))
        };
        [
            test.into(),
            text(one, "name"),
            valid.into(),
            field(&counts, "offered"),
            field(&counts, "succeeded"),
            field(&counts, "dropped"),
            field(&counts, "in_flight"),
            percentile("p50"),
            percentile("p99"),
        ]
    });
    table(
        doc,
        [
            "Test",
            "Load",
            "Figures are valid",
            "Offered",
            "Succeeded",
            "Dropped",
            "In flight at the end",
            "p50",
            "p99",
        ],
        rows.collect(),
    );
    doc.heading(4, "Resources");
    let mut rows = Vec::new();
    for (test, one) in of(facts, Instrument::Resources) {
        for trend in one.get("trends").and_then(Value::as_array).into_iter().flatten() {
            rows.push([
                test.into(),
                text(one, "name"),
                field(trend, "resource"),
                field(trend, "per"),
                number(trend, "slope"),
                interval(trend),
                field(trend, "trend"),
                field(trend, "reason"),
            ]);
        }
    }
    table(doc, ["Test", "Watch", "Resource", "Per", "Slope", "95 % interval", "Trend", "Why not"], rows);
}

/// 4.5: where the system gives way, and how time grows with size.
pub fn scalability(doc: &mut Doc, facts: &Facts<'_>) {
    doc.heading(4, "Degradation curve");
    let curves = of(facts, Instrument::Degradation);
    if curves.is_empty() {
        doc.line(NOT_RECORDED);
    }
    for (test, one) in curves {
        let knee = one.get("knee").cloned().unwrap_or_default();
        let said = match (knee["kept"].as_f64(), knee["saturated"].as_f64()) {
            (Some(kept), Some(saturated)) => {
                format!("kept up at {} per second, no longer at {}", short(kept), short(saturated))
            }
            _ => format!("no knee: {}", plain(knee.get("reason"))),
        };
        doc.line(format!("{} of {test}: {said}; {}.", plain(one.get("name")), exponent(one, "rate")));
        let steps = one.get("steps").and_then(Value::as_array).into_iter().flatten();
        let rows = steps.map(|step| {
            let percentile = |point: &str| {
                let value = &step["response"]["percentiles"][point];
                value["value"].as_f64().map_or_else(|| field(value, "reason"), |nanos| duration(nanos).into())
            };
            [
                number(step, "rate"),
                field(step, "state"),
                field(&step["counts"], "succeeded"),
                field(&step["counts"], "dropped"),
                percentile("p50"),
                percentile("p99"),
                field(step, "reasons"),
            ]
        });
        table(doc, ["Rate", "State", "Succeeded", "Dropped", "p50", "p99", "Why"], rows.collect());
    }
    doc.heading(4, "Time over size");
    let rows = of(facts, Instrument::Scaling).into_iter().map(|(test, one)| {
        let points = one.get("points").and_then(Value::as_array).into_iter().flatten();
        let sizes: Vec<String> = points.map(|point| plain(point.get("size"))).collect();
        [test.into(), text(one, "name"), sizes.join(", ").into(), exponent(one, "size").into()]
    });
    table(doc, ["Test", "Operation", "Sizes", "Growth"], rows.collect());
}

fn exponent(one: &Map<String, Value>, of: &str) -> String {
    let exponent = one.get("exponent").cloned().unwrap_or_default();
    match exponent["value"].as_f64() {
        Some(k) => format!(
            "time grows with {of}^{}, 95 % interval {} to {}",
            short(k),
            show(exponent.get("low")),
            show(exponent.get("high"))
        ),
        None => format!("growth not measured: {}", plain(exponent.get("reason"))),
    }
}

fn show(value: Option<&Value>) -> String {
    value.and_then(Value::as_f64).map_or_else(|| "not measured".to_owned(), short)
}

fn number(value: &Value, key: &str) -> Inline {
    show(value.get(key)).into()
}

fn interval(value: &Value) -> Inline {
    match (value["low"].as_f64(), value["high"].as_f64()) {
        (Some(low), Some(high)) => format!("{} to {}", short(low), short(high)).into(),
        _ => "".into(),
    }
}

fn text(one: &Map<String, Value>, key: &str) -> Inline {
    plain(one.get(key)).into()
}

fn field(value: &Value, key: &str) -> Inline {
    plain(value.get(key)).into()
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| plain(Some(item))).collect::<Vec<_>>().join("; ")
        }
        Some(other) => other.to_string(),
    }
}
