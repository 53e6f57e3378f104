//! Load: what was offered and what came back, over time and over rates; times over sizes.

use serde_json::Value;

use super::super::chart::{Line, Mark, Plot, Scale, Unit};
use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{duration, list, natural, number, plain, short, text, texts};
use super::badge;
use super::measurements::{distribution, percentile};
use crate::markdown::count;

/// Loads and curves that are drawn; all are in the tables.
const DRAWN: usize = 8;
/// Points of a timeline; more are drawn as the greatest or the sum of their neighbours.
const POINTS: usize = 240;

/// `load.json`: a table over all loads, then each with its timeline and distribution.
pub fn loads(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/load.json"]);
    let entries = list(document, "entries");
    m.table(
        "Loads",
        &[
            "Test",
            "Load",
            "Figures are valid",
            "Offered",
            "Succeeded",
            "Not succeeded",
            "Dropped",
            "In flight at the end",
            "Late",
            "Error rate, 95 % interval",
            "P50",
            "P99",
            "P99.9",
            "Issued of offered per second",
        ],
        entries,
        |m, one| {
            let counts = &one["counts"];
            m.cell(&text(one, "test"));
            m.cell(&text(one, "name"));
            m.within("td", &[("class", "wide")], |m| {
                let valid = one["valid"] == true;
                badge(m, "ok", if valid { "valid" } else { "invalid" });
                let reasons = texts(one, "reasons");
                if !reasons.is_empty() {
                    m.text(&format!(" {}", reasons.join("; ")));
                }
                let aborted = text(one, "aborted");
                if !aborted.is_empty() {
                    m.text(&format!(" aborted: {aborted}"));
                }
            });
            for key in ["offered", "succeeded"] {
                m.number(number(counts, key), &text(counts, key));
            }
            let not = ["failed", "panicked", "cancelled"].map(|key| natural(counts, key));
            m.number(Some(not.iter().sum::<u64>() as f64), &not.iter().sum::<u64>().to_string());
            for key in ["dropped", "in_flight", "late"] {
                m.number(number(counts, key), &text(counts, key));
            }
            m.cell(&rate(&one["error_rate"]));
            let times = if one["response"].is_object() { &one["response"] } else { &one["service"] };
            for point in ["p50", "p99", "p99.9"] {
                percentile(m, &times["percentiles"][point]);
            }
            m.cell(&format!("{} of {}", shown(one, "issued_per_second"), shown(one, "offered_per_second")));
        },
    );
    for one in entries.iter().take(DRAWN) {
        m.within("div", &[("class", "charts")], |m| {
            timeline(m, one);
            let title = format!(
                "{} of load {}.",
                if one["response"].is_object() { "Response time" } else { "Service time" },
                text(one, "name")
            );
            let times = if one["response"].is_object() { &one["response"] } else { &one["service"] };
            distribution(m, &title, &text(one, "test"), times);
        });
        errors(m, one);
    }
    if entries.len() > DRAWN {
        m.absent(&format!("{} not drawn.", count(entries.len() - DRAWN, "more load is", "more loads are")));
    }
}

fn rate(rate: &Value) -> String {
    match (number(rate, "value"), number(rate, "low"), number(rate, "high")) {
        (Some(value), Some(low), Some(high)) => {
            format!("{} % ({} to {} %)", short(value * 100.0), short(low * 100.0), short(high * 100.0))
        }
        (Some(value), ..) => format!("{} %", short(value * 100.0)),
        _ => text(rate, "reason"),
    }
}

fn shown(value: &Value, key: &str) -> String {
    number(value, key).map_or_else(|| "not measured".to_owned(), short)
}

fn errors(m: &mut Markup, one: &Value) {
    let errors = list(one, "errors");
    if errors.is_empty() {
        return;
    }
    let other = natural(one, "other_errors");
    m.within("details", &[], |m| {
        m.element("summary", &[], &format!("Errors of load {}", text(one, "name")));
        m.items(errors.iter().map(|error| format!("{} × {}", natural(error, "count"), text(error, "text"))));
        if other > 0 {
            m.paragraph(&format!("And {} with other texts.", count(other, "error", "errors")));
        }
    });
}

/// Rates, errors and response times over the time of a load.
fn timeline(m: &mut Markup, one: &Value) {
    let timeline = &one["timeline"];
    let moments = list(timeline, "moments");
    let Some(width) = number(timeline, "width_seconds").filter(|width| *width > 0.0 && moments.len() > 1)
    else {
        m.absent(&format!("Load {} has no timeline.", text(one, "name")));
        return;
    };
    let step = moments.len().div_ceil(POINTS);
    let groups: Vec<(f64, &[Value])> =
        moments.chunks(step).enumerate().map(|(n, group)| (n as f64 * step as f64 * width, group)).collect();
    let per_second = |key: &str| {
        let line = groups.iter().map(|(at, group)| {
            let sum: u64 = group.iter().map(|moment| natural(moment, key)).sum();
            (*at, sum as f64 / (group.len() as f64 * width))
        });
        line.collect::<Vec<_>>()
    };
    let rates = [("due", "due"), ("succeeded", "succeeded"), ("not succeeded", "unsuccessful")]
        .map(|(name, key)| Line { name: name.to_owned(), points: per_second(key), steps: true, dots: false });
    let x = || ("seconds from the start", Scale::from_zero(Unit::Number, [moments.len() as f64 * width]));
    let unsuccessful: u64 = moments.iter().map(|moment| natural(moment, "unsuccessful")).sum();
    let due: u64 = moments.iter().map(|moment| natural(moment, "due")).sum();
    let name = text(one, "name");
    let each = duration(width * step as f64 * 1e9);
    Plot {
        title: &format!("Operations of load {name} over time."),
        words: &format!("{due} due, {unsuccessful} ended without success; each step is {each}."),
        x: x(),
        y: (
            "per second",
            Scale::from_zero(Unit::Number, rates.iter().flat_map(|line| &line.points).map(|point| point.1)),
        ),
        lines: &rates,
        marks: &[],
    }
    .draw(m);
    if unsuccessful > 0 {
        let share: Vec<(f64, f64)> = groups
            .iter()
            .filter_map(|(at, group)| {
                let sum = |key: &str| group.iter().map(|moment| natural(moment, key)).sum::<u64>() as f64;
                let all = sum("succeeded") + sum("unsuccessful");
                (all > 0.0).then(|| (*at, sum("unsuccessful") / all))
            })
            .collect();
        Plot {
            title: &format!("Error rate of load {name} over time."),
            words: "The share of the operations ending in a step that did not succeed; steps in which none ended are left out.",
            x: x(),
            y: ("share", Scale::from_zero(Unit::Share, share.iter().map(|point| point.1))),
            lines: &[Line { name: "error rate".to_owned(), points: share, steps: true, dots: false }],
            marks: &[],
        }
        .draw(m);
    }
    let times: Vec<Line> = [("P50", "p50"), ("P99", "p99"), ("longest", "max")]
        .into_iter()
        .filter_map(|(name, key)| {
            let points: Vec<(f64, f64)> = groups
                .iter()
                .filter_map(|(at, group)| {
                    Some((*at, group.iter().filter_map(|moment| number(moment, key)).reduce(f64::max)?))
                })
                .collect();
            (points.len() > 1).then(|| Line { name: name.to_owned(), points, steps: true, dots: false })
        })
        .collect();
    if times.is_empty() {
        m.absent(&format!("Times of load {name} over time: too few operations ended."));
        return;
    }
    let words = if step > 1 {
        "The greatest of the moments in a step."
    } else {
        "By the moment in which operations ended."
    };
    Plot {
        title: &format!("Times of load {name} over time."),
        words,
        x: x(),
        y: (
            "time",
            Scale::around(Unit::Nanos, times.iter().flat_map(|line| &line.points).map(|point| point.1)),
        ),
        lines: &times,
        marks: &[],
    }
    .draw(m);
}

/// `degradation.json`: response time over rate, and where the system gave way.
pub fn curves(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/degradation.json"]);
    for one in list(document, "entries").iter().take(DRAWN) {
        let steps = list(one, "steps");
        let knee = &one["knee"];
        let said = match (number(knee, "kept"), number(knee, "saturated")) {
            (Some(kept), Some(saturated)) => {
                format!("Kept up at {} per second, no longer at {}.", short(kept), short(saturated))
            }
            _ => format!("No knee: {}.", text(knee, "reason")),
        };
        let exponent = &one["exponent"];
        let said = match number(exponent, "value") {
            Some(k) => format!(
                "{said} The median grows with rate^{}, 95 % interval {} to {}.",
                short(k),
                shown(exponent, "low"),
                shown(exponent, "high")
            ),
            None => format!("{said} Exponent: {}.", text(exponent, "reason")),
        };
        let line = |name: &str, point: &str| {
            let points: Vec<(f64, f64)> = steps
                .iter()
                .filter(|step| step["state"] != "invalid")
                .filter_map(|step| {
                    Some((number(step, "rate")?, number(&step["response"]["percentiles"][point], "value")?))
                })
                .collect();
            Line { name: name.to_owned(), points, steps: false, dots: true }
        };
        let lines: Vec<Line> = [line("P50", "p50"), line("P95", "p95"), line("P99", "p99")]
            .into_iter()
            .filter(|line| line.points.len() > 1)
            .collect();
        let title = format!("Degradation of {}.", text(one, "name"));
        if lines.is_empty() {
            m.absent(&format!("{title} Not drawn: fewer than two steps have a response time. {said}"));
        } else {
            let all = || lines.iter().flat_map(|line| &line.points);
            let marks: Vec<Mark> = [("kept", "kept up"), ("saturated", "no longer")]
                .into_iter()
                .filter_map(|(key, name)| {
                    let rate = number(knee, key)?;
                    let at = lines.last()?.points.iter().find(|point| point.0 == rate)?;
                    Some(Mark { name: name.to_owned(), at: *at })
                })
                .collect();
            Plot {
                title: &title,
                words: &said,
                x: (
                    "operations per second, as planned",
                    Scale::around(Unit::Number, all().map(|point| point.0)),
                ),
                y: ("response time", Scale::around(Unit::Nanos, all().map(|point| point.1))),
                lines: &lines,
                marks: &marks,
            }
            .draw(m);
        }
        m.table(
            "Steps of the curve",
            &["Rate", "State", "Offered", "Succeeded", "Dropped", "P50", "P95", "P99", "Reasons"],
            steps,
            |m, step| {
                m.number(number(step, "rate"), &shown(step, "rate"));
                m.within("td", &[], |m| badge(m, "step", &text(step, "state")));
                for key in ["offered", "succeeded", "dropped"] {
                    m.number(number(&step["counts"], key), &text(&step["counts"], key));
                }
                for point in ["p50", "p95", "p99"] {
                    percentile(m, &step["response"]["percentiles"][point]);
                }
                m.cell(&texts(step, "reasons").join("; "));
            },
        );
    }
}

/// `scaling.json`: times over sizes.
pub fn scaling(m: &mut Markup, folder: &Folder, document: &Value) {
    super::source(m, folder, &["results/metrics/scaling.json"]);
    for one in list(document, "entries").iter().take(DRAWN) {
        let mut all: Vec<(f64, f64)> = Vec::new();
        let mut medians = Vec::new();
        for point in list(one, "points") {
            let Some(size) = number(point, "size") else { continue };
            let mut times: Vec<f64> = list(point, "nanos").iter().filter_map(Value::as_f64).collect();
            times.sort_by(f64::total_cmp);
            all.extend(times.iter().map(|nanos| (size, *nanos)));
            medians.extend(times.get(times.len().div_ceil(2).saturating_sub(1)).map(|nanos| (size, *nanos)));
        }
        let exponent = &one["exponent"];
        let said = match number(exponent, "value") {
            Some(k) => format!(
                "Time grows with size^{}, 95 % interval {} to {}.",
                short(k),
                shown(exponent, "low"),
                shown(exponent, "high")
            ),
            None => format!("Exponent: {}.", text(exponent, "reason")),
        };
        let title = format!("Time of {} over size.", text(one, "name"));
        if medians.len() < 2 {
            m.absent(&format!("{title} Not drawn: fewer than two sizes. {said}"));
            continue;
        }
        Plot {
            title: &title,
            words: &format!("The median of the repetitions. {said}"),
            x: ("size", Scale::around(Unit::Number, all.iter().map(|point| point.0))),
            y: ("time", Scale::around(Unit::Nanos, all.iter().map(|point| point.1))),
            lines: &[Line { name: "median".to_owned(), points: medians, steps: false, dots: true }],
            marks: &[],
        }
        .draw(m);
    }
}

/// A file of an instrument that has no chart: its entries as they are, so that nothing of it is hidden.
pub fn other(m: &mut Markup, folder: &Folder, name: &str, document: &Value) {
    super::source(m, folder, &[&format!("results/metrics/{name}.json")]);
    let entries = document.as_array().map_or_else(|| list(document, "entries"), Vec::as_slice);
    for one in entries.iter().take(DRAWN * 4) {
        m.within("details", &[("class", "entry plain")], |m| {
            m.within("summary", &[], |m| {
                m.element("span", &[("class", "title")], &text(one, "name"));
                m.text(&format!(" {}", text(one, "test")));
            });
            let fields = one.as_object().into_iter().flatten();
            let rows: Vec<(String, String)> = fields
                .filter(|(key, _)| !matches!(key.as_str(), "name" | "test" | "slug"))
                .map(|(key, value)| (key.replace('_', " "), plain(value)))
                .collect();
            super::facts(m, rows.iter().map(|(key, value)| (key.as_str(), value.clone())));
        });
    }
}
