//! What instruments measured, in section 4: the figures of their files, as tables.

use serde_json::Value;

use crate::journal::record::Instrument;
use crate::markdown::{Doc, Inline, count};
use crate::run::state::RunState;

use super::super::words::duration;

/// The entries of an instrument, each with the name of its test.
fn entries(state: &RunState, instrument: Instrument) -> Vec<(&str, &Value)> {
    state
        .tests
        .iter()
        .flat_map(|test| test.measured.iter().map(move |measured| (test.start.name.as_str(), measured)))
        .filter(|(_, measured)| measured.instrument == instrument)
        .map(|(test, measured)| (test, &measured.entry))
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "not known".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn name(entry: &Value) -> Inline {
    entry.get("name").map_or_else(String::new, text).into()
}

/// Loads, if there were any.
pub fn loads(doc: &mut Doc, state: &RunState) {
    let loads = entries(state, Instrument::Load);
    if loads.is_empty() {
        return;
    }
    doc.heading(4, "Load");
    doc.line(
        "Response times from the planned moment, in a closed loop service times; in milliseconds, of operations that succeeded. \
         Figures of a load that is not valid are about its generator.",
    );
    doc.table(
        ["Test", "Load", "Valid", "Offered", "Succeeded", "Dropped", "In flight", "p50", "p99", "p99.9"],
        loads.iter().map(|(test, entry)| -> [Inline; 10] {
            let count = |field: &str| Inline::from(text(&entry["counts"][field]));
            let times = if entry["response"].is_null() { &entry["service"] } else { &entry["response"] };
            let percentile = |at: &str| -> Inline {
                let found = &times["percentiles"][at];
                let least = if found["at_least"] == true { "at least " } else { "" };
                match found["value"].as_f64() {
                    Some(nanos) => format!("{least}{:.3}", nanos / 1e6).into(),
                    None => text(&found["reason"]).into(),
                }
            };
            [
                (*test).into(),
                name(entry),
                if entry["valid"] == true { "yes" } else { "no" }.into(),
                count("offered"),
                count("succeeded"),
                count("dropped"),
                count("in_flight"),
                percentile("p50"),
                percentile("p99"),
                percentile("p99.9"),
            ]
        }),
    );
}

/// How often the entry's own target was met, missed or left undecided, in words; empty if it was never compared.
pub fn decisions(state: &RunState) -> String {
    let own = entries(state, Instrument::Targets);
    let decisions =
        || own.iter().filter(|(_, entry)| entry["of_entry"] == true).map(|(_, entry)| &entry["decision"]);
    ["met", "missed", "undecided"]
        .into_iter()
        .filter_map(|word| {
            let times = decisions().filter(|decision| **decision == *word).count();
            (times > 0).then(|| format!("{word} {}", count(times, "time", "times")))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// Targets, if any were compared.
pub fn targets(doc: &mut Doc, state: &RunState) {
    let targets = entries(state, Instrument::Targets);
    if targets.is_empty() {
        return;
    }
    doc.heading(4, "Targets");
    doc.table(
        ["Test", "Target", "Decision", "Why"],
        targets.iter().map(|(test, entry)| -> [Inline; 4] {
            [(*test).into(), name(entry), text(&entry["decision"]).into(), text(&entry["why"]).into()]
        }),
    );
}

/// Checkers, if any were asked.
pub fn checkers(doc: &mut Doc, state: &RunState) {
    let checkers = entries(state, Instrument::Checkers);
    if checkers.is_empty() {
        return;
    }
    doc.heading(4, "Checkers");
    doc.table(
        ["Test", "Claim", "Checker", "Looked at", "Verdict", "Why"],
        checkers.iter().map(|(test, entry)| -> [Inline; 6] {
            let why = if entry["why"].is_null() { String::new() } else { text(&entry["why"]) };
            [
                (*test).into(),
                name(entry),
                text(&entry["checker"]).into(),
                text(&entry["looked_at"]).into(),
                text(&entry["verdict"]).into(),
                why.into(),
            ]
        }),
    );
}

/// Quality, if any was recorded.
pub fn quality(doc: &mut Doc, state: &RunState) {
    let sets = entries(state, Instrument::Quality);
    if sets.is_empty() {
        return;
    }
    doc.heading(4, "Quality");
    let figures = sets.iter().flat_map(|(test, entry)| {
        let figures = entry.get("figures").and_then(Value::as_array).into_iter().flatten();
        figures.map(|figure| (*test, name(entry), figure))
    });
    doc.table(
        ["Test", "Set", "Figure", "Value", "95 % interval", "n"],
        figures.map(|(test, set, figure)| -> [Inline; 6] {
            let value = match figure["value"].as_f64() {
                Some(value) => format!("{value:.4}"),
                None => text(&figure["reason"]),
            };
            let end = |field: &str| {
                figure[field].as_f64().map_or_else(|| "not known".to_owned(), |end| format!("{end:.4}"))
            };
            [
                test.into(),
                set,
                text(&figure["name"]).into(),
                value.into(),
                format!("{} to {}", end("low"), end("high")).into(),
                text(&figure["n"]).into(),
            ]
        }),
    );
}

/// Degradation and scaling.
pub fn scalability(doc: &mut Doc, state: &RunState) {
    let curves = entries(state, Instrument::Degradation);
    if curves.is_empty() {
        doc.line("Degradation curve: not recorded.");
    } else {
        doc.heading(4, "Degradation");
        doc.table(
            ["Test", "Load", "Kept up with", "Saturated at", "Why it is not known"],
            curves.iter().map(|(test, entry)| -> [Inline; 5] {
                let knee = &entry["knee"];
                let why = if knee["reason"].is_null() { String::new() } else { text(&knee["reason"]) };
                [
                    (*test).into(),
                    name(entry),
                    text(&knee["kept"]).into(),
                    text(&knee["saturated"]).into(),
                    why.into(),
                ]
            }),
        );
    }
    for (test, entry) in &curves {
        doc.line(Inline::from("Steps of ").strong(text(&entry["name"])).text(format!(" in {test}:")));
        doc.table(
            ["Rate", "State", "Succeeded", "Dropped", "p50", "p99", "Why"],
            entry["steps"].as_array().into_iter().flatten().map(|step| -> [Inline; 7] {
                let percentile = |at: &str| -> Inline {
                    let found = &step["response"]["percentiles"][at];
                    found["value"].as_f64().map_or_else(|| text(&found["reason"]), duration).into()
                };
                let reasons = step["reasons"].as_array().into_iter().flatten();
                [
                    text(&step["rate"]).into(),
                    text(&step["state"]).into(),
                    text(&step["counts"]["succeeded"]).into(),
                    text(&step["counts"]["dropped"]).into(),
                    percentile("p50"),
                    percentile("p99"),
                    reasons.map(text).collect::<Vec<_>>().join("; ").into(),
                ]
            }),
        );
    }
    let scalings = entries(state, Instrument::Scaling);
    if scalings.is_empty() {
        return;
    }
    doc.heading(4, "Scaling");
    doc.line("The k of: time grows with size^k.");
    doc.table(
        ["Test", "Series", "k", "95 % interval"],
        scalings.iter().map(|(test, entry)| -> [Inline; 4] {
            let fit = &entry["exponent"];
            let number = |field: &str| match fit[field].as_f64() {
                Some(number) => format!("{number:.3}"),
                None => "not known".to_owned(),
            };
            let interval = match fit["reason"].as_str() {
                Some(why) => why.to_owned(),
                None => format!("{} to {}", number("low"), number("high")),
            };
            [(*test).into(), name(entry), number("value").into(), interval.into()]
        }),
    );
}

/// Resources, if they were watched.
pub fn resources(doc: &mut Doc, state: &RunState) {
    let watches = entries(state, Instrument::Resources);
    if watches.is_empty() {
        return;
    }
    doc.heading(4, "Resources");
    let trends = watches.iter().flat_map(|(test, entry)| {
        let trends = entry.get("trends").and_then(Value::as_array).into_iter().flatten();
        trends.filter(|trend| !trend["slope"].is_null()).map(|trend| (*test, name(entry), trend))
    });
    doc.table(
        ["Test", "Watch", "Resource", "Per", "Slope", "95 % interval", "Trend"],
        trends.map(|(test, watch, trend)| -> [Inline; 7] {
            let number = |field: &str| trend[field].as_f64().map_or_else(String::new, |n| format!("{n:.4}"));
            [
                test.into(),
                watch,
                text(&trend["resource"]).into(),
                text(&trend["per"]).into(),
                number("slope").into(),
                format!("{} to {}", number("low"), number("high")).into(),
                text(&trend["trend"]).into(),
            ]
        }),
    );
}
