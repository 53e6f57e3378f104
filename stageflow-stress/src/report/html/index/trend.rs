//! How verdicts, findings and latency went over time.

use std::collections::BTreeMap;

use super::super::chart::{self, Line, Plot, Scale, Segment, Unit};
use super::super::markup::Markup;
use super::super::value::time;
use super::collect::{All, Run, State};
use crate::classify::Severity;
use crate::markdown::count;

/// Columns that are drawn.
const COLUMNS: usize = 60;
/// Days from which on a column is a day; below, it is an invocation.
const DAYS: usize = 8;

/// Series whose latency is drawn.
const SERIES: usize = 6;

pub fn trend(m: &mut Markup, all: &All) {
    verdicts(m, all);
    latency(m, all);
}

/// How the timed operations went, run by run of their entry. A step that stays is a change; a single peak is a peak.
fn latency(m: &mut Markup, all: &All) {
    /// Runs of one series, oldest first: their number among those of the entry, p50 and p95.
    type Times = Vec<(f64, f64, Option<f64>)>;
    let mut series: BTreeMap<(&str, &str), Times> = BTreeMap::new();
    for entry in &all.entries {
        for (n, run) in entry.runs.iter().rev().enumerate() {
            for (name, p50, p95) in &run.latency {
                if let Some(p50) = p50 {
                    let times = (n as f64 + 1.0, *p50 as f64, p95.map(|nanos| nanos as f64));
                    series.entry((&entry.id, name)).or_default().push(times);
                }
            }
        }
    }
    series.retain(|_, times| times.len() > 1);
    if series.is_empty() {
        m.absent("Latency over runs: no operation was timed often enough in two runs of an entry.");
        return;
    }
    let mut all: Vec<_> = series.into_iter().collect();
    // Those with most runs; of as many, those that are slowest now.
    let last = |times: &Times| times.last().map_or(0.0, |(_, p50, _)| *p50);
    all.sort_by(|(_, a), (_, b)| b.len().cmp(&a.len()).then_with(|| last(b).total_cmp(&last(a))));
    let hidden = all.len().saturating_sub(SERIES);
    all.truncate(SERIES);
    for (title, which) in [("Latency of runs, p50.", 50), ("Latency of runs, p95.", 95)] {
        let lines: Vec<Line> = all
            .iter()
            .map(|((entry, name), times)| Line {
                name: format!("{entry} {name}"),
                points: times
                    .iter()
                    .filter_map(|(run, p50, p95)| Some((*run, if which == 50 { *p50 } else { (*p95)? })))
                    .collect(),
                steps: false,
                dots: true,
            })
            .filter(|line: &Line| line.points.len() > 1)
            .collect();
        if lines.is_empty() {
            m.absent(&format!(
                "{title} Not measured: no operation was timed 20 times in two runs of an entry."
            ));
            continue;
        }
        let points = || lines.iter().flat_map(|line| line.points.iter().copied());
        // A single line has no legend.
        let mut words = match lines.as_slice() {
            [one] => format!("{}, from the first run of its entry that timed it to the latest", one.name),
            _ => format!(
                "{} operations, each from the first run of its entry that timed it to the latest",
                lines.len()
            ),
        };
        if hidden > 0 {
            words += &format!("; {hidden} more are in the tables of their entries");
        }
        Plot {
            title,
            words: &format!("{words}."),
            x: ("runs of the entry, oldest first", Scale::around(Unit::Count, points().map(|(x, _)| x))),
            y: ("time", time_scale(points().map(|(_, y)| y))),
            lines: &lines,
            marks: &[],
        }
        .draw(m);
    }
}

/// From zero, so that a small change looks small; logarithmic where operations lie far apart.
fn time_scale(values: impl Iterator<Item = f64> + Clone) -> Scale {
    let (least, greatest) =
        values.clone().fold((f64::INFINITY, 0.0_f64), |(least, greatest), v| (least.min(v), greatest.max(v)));
    if greatest > least * 20.0 {
        Scale::around(Unit::Nanos, values)
    } else {
        Scale::from_zero(Unit::Nanos, values)
    }
}

fn verdicts(m: &mut Markup, all: &All) {
    let runs: Vec<&Run> = all.entries.iter().flat_map(|entry| &entry.runs).collect();
    let dated: Vec<&&Run> = runs.iter().filter(|run| run.started_at.len() >= 16).collect();
    if dated.is_empty() {
        m.absent("Not measured: no run says when it started.");
        return;
    }
    let mut days: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in &dated {
        days.entry(run.started_at.get(..10).unwrap_or_default()).or_default().push(run);
    }
    let (what, groups): (&str, Vec<(String, Vec<&Run>)>) = if days.len() >= DAYS {
        ("day", days.into_iter().map(|(day, runs)| (day.to_owned(), runs)).collect())
    } else {
        let mut invocations: BTreeMap<(String, &str), Vec<&Run>> = BTreeMap::new();
        let mut firsts: BTreeMap<&str, &str> = BTreeMap::new();
        for run in &dated {
            let first = firsts.entry(&run.invocation).or_insert(&run.started_at);
            *first = (*first).min(run.started_at.as_str());
        }
        for run in &dated {
            let key = if run.invocation.is_empty() {
                run.started_at.as_str()
            } else {
                firsts[run.invocation.as_str()]
            };
            invocations.entry((key.to_owned(), &run.invocation)).or_default().push(run);
        }
        let label = |start: &str| time(start).get(5..16).unwrap_or_default().to_owned();
        ("invocation", invocations.into_iter().map(|((start, _), runs)| (label(&start), runs)).collect())
    };
    if groups.len() < 2 {
        m.absent(&format!("Not measured: there is one {what} so far, and a trend needs two."));
        return;
    }
    let hidden = groups.len().saturating_sub(COLUMNS);
    let shown = &groups[hidden..];
    let plural = if what == "day" { "days" } else { "invocations" };
    let mut words = format!(
        "{} over {}",
        count(shown.iter().map(|(_, runs)| runs.len()).sum::<usize>(), "run", "runs"),
        count(shown.len(), what, plural)
    );
    if hidden > 0 {
        words += &format!("; {} older not drawn", count(hidden, what, plural));
    }
    if dated.len() < runs.len() {
        words += &format!(
            "; {} without a time of start not drawn",
            count(runs.len() - dated.len(), "run", "runs")
        );
    }
    let columns: Vec<(String, Vec<Segment>)> = shown
        .iter()
        .map(|(name, runs)| {
            let segments = State::ALL.iter().rev().map(|state| {
                let n = runs.iter().filter(|run| run.state == *state).count();
                Segment {
                    class: format!("bar {}", state.class()),
                    value: n as f64,
                    tip: format!("{name}: {n} {}", state.as_str()),
                }
            });
            (name.clone(), segments.collect())
        })
        .collect();
    chart::columns(m, "Verdicts of runs.", &format!("{words}."), &columns);
    let columns: Vec<(String, Vec<Segment>)> = shown
        .iter()
        .map(|(name, runs)| {
            let segments = Severity::ALL.iter().map(|severity| {
                let n: u64 = runs.iter().map(|run| run.findings[*severity as usize]).sum();
                Segment {
                    class: format!("bar sev-{severity}"),
                    value: n as f64,
                    tip: format!("{name}: {n} {severity}"),
                }
            });
            (name.clone(), segments.collect())
        })
        .collect();
    let total: u64 = dated.iter().flat_map(|run| run.findings).sum();
    if total == 0 {
        m.absent("Findings over time: none of these runs has any.");
        return;
    }
    chart::columns(
        m,
        "Findings of runs, by severity.",
        &format!("Sum over the runs of each {what}; a finding that several runs saw counts in each."),
        &columns,
    );
}
