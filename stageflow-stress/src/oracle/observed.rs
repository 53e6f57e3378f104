//! Spans, deadlines, transitions, and what can be told from telemetry alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use super::{Checked, Witness};

/// A span of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanSeen {
    /// Its trace.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// The id of the span around it; none for the first of a trace.
    pub parent: Option<String>,
    /// What it is of.
    pub name: String,
    /// When it began and ended; no end if it never did.
    pub time: (Duration, Option<Duration>),
}

impl SpanSeen {
    /// A span.
    #[must_use]
    pub fn new(
        trace: impl Into<String>,
        id: impl Into<String>,
        parent: Option<&str>,
        name: impl Into<String>,
        time: (Duration, Option<Duration>),
    ) -> Self {
        SpanSeen {
            trace: trace.into(),
            id: id.into(),
            parent: parent.map(str::to_owned),
            name: name.into(),
            time,
        }
    }
}

/// Whether every trace is complete: one span at its root, every parent there and of the same trace, no id twice, every span
/// ended, and in each trace a span of every expected name.
///
/// ```
/// use std::time::Duration;
/// use stageflow_stress::oracle::{SpanSeen, Verdict, complete_trace};
/// let time = (Duration::ZERO, Some(Duration::from_millis(5)));
/// let spans = [SpanSeen::new("t1", "1", None, "run", time), SpanSeen::new("t1", "2", Some("1"), "stage", time)];
/// assert!(complete_trace(&spans, &["run", "stage"]).is_valid());
/// let Verdict::Invalid(witness) = complete_trace(&spans, &["run", "stage", "model"]).verdict else { panic!() };
/// assert_eq!(witness.why, "trace t1 has no span `model`");
/// ```
pub fn complete_trace(spans: &[SpanSeen], expected: &[&str]) -> Checked {
    let mut traces: BTreeMap<&str, Vec<&SpanSeen>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace).or_default().push(span);
    }
    let wrong = traces.iter().find_map(|(trace, spans)| {
        let found = |why: String, spans: &[&SpanSeen]| {
            Some(Witness::new(format!("trace {trace} {why}"), spans.iter().map(|span| format!("{span:?}"))))
        };
        let mut by_id: BTreeMap<&str, &SpanSeen> = BTreeMap::new();
        for span in spans {
            if let Some(other) = by_id.insert(&span.id, span) {
                return found(format!("has span {} twice", span.id), &[other, span]);
            }
        }
        for span in spans {
            match span.parent.as_deref().map(|parent| (parent, by_id.get(parent))) {
                Some((parent, None)) => {
                    return found(format!("lacks span {parent}, which has a child"), &[span]);
                }
                Some((_, Some(parent))) if span.time.0 < parent.time.0 => {
                    return found(format!("has span {} before its parent", span.id), &[parent, span]);
                }
                _ => {}
            }
            if span.time.1.is_none_or(|end| end < span.time.0) {
                return found(format!("has span {} without an end after its beginning", span.id), &[span]);
            }
        }
        let roots: Vec<&SpanSeen> = spans.iter().copied().filter(|span| span.parent.is_none()).collect();
        if roots.len() != 1 {
            return found(format!("has {} spans at its root instead of one", roots.len()), &roots);
        }
        let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        expected
            .iter()
            .find(|name| !names.contains(**name))
            .and_then(|missing| found(format!("has no span `{missing}`"), &[]))
    });
    Checked::of("complete_trace", spans.len(), wrong)
}

/// Whether everything was done in time. Takes what it was, how long it took (none if it never ended), and how long it may take.
///
/// ```
/// use std::time::Duration;
/// use stageflow_stress::oracle::timing;
/// let ms = Duration::from_millis;
/// assert!(timing(&[("guard", Some(ms(3)), ms(10))]).is_valid());
/// assert!(!timing(&[("guard", Some(ms(3)), ms(10)), ("agent", None, ms(500))]).is_valid());
/// ```
pub fn timing<N: Debug>(done: &[(N, Option<Duration>, Duration)]) -> Checked {
    // The one that is furthest beyond its time.
    let over =
        |took: &Option<Duration>, limit: &Duration| took.unwrap_or(Duration::MAX).saturating_sub(*limit);
    let worst = done.iter().max_by_key(|(_, took, limit)| over(took, limit));
    let witness =
        worst.filter(|(_, took, limit)| over(took, limit) > Duration::ZERO).map(|(name, took, limit)| {
            let late = done.iter().filter(|(_, took, limit)| over(took, limit) > Duration::ZERO).count();
            let took = took.map_or_else(|| "never ended".to_owned(), |took| format!("took {took:?}"));
            Witness::new(
                format!("{late} of {} were not done in time", done.len()),
                [format!("{name:?} {took}, limit {limit:?}")],
            )
        });
    Checked::of("timing", done.len(), witness)
}

/// Whether a state machine took legal transitions only, and ended where it may. Takes the states in order; the first one must be
/// legal as a beginning.
///
/// ```
/// use stageflow_stress::oracle::transitions;
/// let legal = [("new", "running"), ("running", "done"), ("running", "failed")];
/// assert!(transitions(&["new", "running", "done"], "new", &legal, &["done", "failed"]).is_valid());
/// assert!(!transitions(&["new", "done"], "new", &legal, &["done"]).is_valid());
/// assert!(!transitions(&["new", "running"], "new", &legal, &["done"]).is_valid()); // it never came to an end
/// ```
pub fn transitions<S: PartialEq + Debug>(states: &[S], begin: S, legal: &[(S, S)], ends: &[S]) -> Checked {
    const NAME: &str = "transitions";
    let done = |witness| Checked::of(NAME, states.len(), witness);
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return done(None) };
    if *first != begin {
        return done(Some(Witness::new(format!("it began as {first:?}, not as {begin:?}"), [])));
    }
    let illegal = states
        .windows(2)
        .enumerate()
        .find(|(_, pair)| !legal.iter().any(|(from, to)| *from == pair[0] && *to == pair[1]));
    if let Some((n, pair)) = illegal {
        let why = format!("transition {} is not legal", n + 1);
        return done(Some(Witness::new(why, [format!("{:?} -> {:?}", pair[0], pair[1])])));
    }
    if !ends.contains(last) {
        return done(Some(Witness::new(format!("it ended as {last:?}, which is no end"), [])));
    }
    done(None)
}

/// Whether what happened can be told from telemetry alone. Takes the names of what happened, and for each source (logs, metrics,
/// events) what it tells of. Each source must tell of everything that happened, and of nothing that did not.
///
/// ```
/// use stageflow_stress::oracle::{Verdict, observable};
/// let happened = ["retry", "fallback"];
/// let Verdict::Invalid(witness) =
///     observable(&happened, &[("logs", &["retry", "fallback"]), ("metrics", &["retry"])]).verdict
/// else { panic!() };
/// assert_eq!(witness.why, "metrics do not tell of fallback");
/// ```
pub fn observable(happened: &[&str], sources: &[(&str, &[&str])]) -> Checked {
    const NAME: &str = "observable";
    if sources.is_empty() {
        return Checked::unknown(NAME, happened.len(), "there is no source of telemetry");
    }
    let witness = sources.iter().find_map(|(source, told)| {
        let silent = happened.iter().find(|what| !told.contains(what));
        let made_up = told.iter().find(|what| !happened.contains(what));
        let why = match (silent, made_up) {
            (Some(what), _) => format!("{source} do not tell of {what}"),
            (None, Some(what)) => format!("{source} tell of {what}, which did not happen"),
            (None, None) => return None,
        };
        Some(Witness::new(why, [format!("happened: {happened:?}"), format!("{source}: {told:?}")]))
    });
    Checked::of(NAME, happened.len(), witness)
}

/// Whether a metamorphic relation holds: between the answer to an input and the answer to the same input changed in a known way, such
/// as a cart with its lines in another order, a price that is doubled, a text that is translated there and back. It needs no knowledge
/// of the right answer (Chen, Cheung and Yiu, *Metamorphic testing*, 1998). Takes the input, its answer, and that to its follow-up.
///
/// A relation that holds between any two of these answers says nothing, and is unknown; so is one that was tried on a single case.
///
/// ```
/// use stageflow_stress::oracle::metamorphic;
/// let tax = |cents: u64| cents * 19 / 100;
/// let cases: Vec<_> = [100, 200, 700].map(|cents| (cents, tax(cents), tax(2 * cents))).into();
/// assert!(metamorphic("twice the price, twice the tax", &cases, |one, twice| *twice == 2 * one).is_valid());
/// assert!(!metamorphic("the price does not matter", &cases, |one, twice| twice == one).is_valid());
/// assert!(!metamorphic("anything", &cases, |_, _| true).is_valid()); // unknown: it could not have been violated
/// ```
pub fn metamorphic<I: Debug, T: Debug>(
    relation: &str,
    cases: &[(I, T, T)],
    holds: impl Fn(&T, &T) -> bool,
) -> Checked {
    const NAME: &str = "metamorphic";
    const PAIRS: usize = 10_000;
    let broken = cases.iter().filter(|(_, source, follow_up)| !holds(source, follow_up));
    // The smallest input that shows it.
    let smallest = broken.clone().min_by_key(|(input, _, _)| format!("{input:?}").len());
    if let Some((input, source, follow_up)) = smallest {
        let why = format!("{relation}: broken for {} of {} inputs", broken.count(), cases.len());
        let steps =
            [format!("input {input:?}"), format!("answer {source:?}"), format!("follow-up {follow_up:?}")];
        return Checked::of(NAME, cases.len(), Some(Witness::new(why, steps)));
    }
    if cases.len() == 1 {
        let why = format!(
            "{relation}: one case alone; with nothing to tell it from, nothing says that it could have been violated"
        );
        return Checked::unknown(NAME, cases.len(), why);
    }
    let others = cases.iter().enumerate().flat_map(|(at, (_, source, _))| {
        cases
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != at)
            .map(move |(_, (_, _, other))| (source, other))
    });
    if !cases.is_empty() && others.take(PAIRS).all(|(source, other)| holds(source, other)) {
        let why = format!(
            "{relation}: it holds between any two of the answers, so it could not have been violated"
        );
        return Checked::unknown(NAME, cases.len(), why);
    }
    Checked::of(NAME, cases.len(), None)
}
