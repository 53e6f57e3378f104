//! Sets, counters, accounts and versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::history::{Called, History, Returned};
use super::{Checked, Witness};

/// Calls of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetCall<T> {
    /// Adds an element. Each is added once.
    Add(T),
    /// Returns all elements.
    Read,
}

#[doc = include_str!("../../docs/checkers/sets.md")]
pub fn set_full<T: Ord + Clone + Debug>(history: &History<SetCall<T>, Vec<T>>) -> Checked {
    const NAME: &str = "set_full";
    let mut adds: BTreeMap<&T, &Called<SetCall<T>, Vec<T>>> = BTreeMap::new();
    let mut reads: Vec<(&Called<_, _>, BTreeSet<&T>)> = Vec::new();
    let shown = |called: &Called<SetCall<T>, Vec<T>>| {
        let end = called.end.map_or_else(|| "on".to_owned(), |end| format!("to {end}"));
        match (&called.call, &called.returned) {
            (SetCall::Read, Returned::Ok(elements)) if elements.len() > 20 => {
                format!(
                    "client {}: a read of {} elements, from {} {end}",
                    called.client,
                    elements.len(),
                    called.begin
                )
            }
            (call, returned) => {
                format!("client {}: {call:?} -> {returned:?}, from {} {end}", called.client, called.begin)
            }
        }
    };
    for called in &history.calls {
        match (&called.call, &called.returned) {
            (SetCall::Add(element), _) => {
                adds.insert(element, called);
            }
            (SetCall::Read, Returned::Ok(elements)) => {
                let seen: BTreeSet<&T> = elements.iter().collect();
                if seen.len() < elements.len() {
                    let twice = elements.iter().find(|one| elements.iter().filter(|e| e == one).count() > 1);
                    let why = format!("element {:?} is twice in one read", twice.unwrap_or(&elements[0]));
                    return Checked::of(NAME, history.calls.len(), Some(Witness::new(why, [shown(called)])));
                }
                reads.push((called, seen));
            }
            (SetCall::Read, _) => {}
        }
    }
    if reads.is_empty() {
        return Checked::unknown(NAME, history.calls.len(), "no read returned: there was nothing to look at");
    }
    for (read, seen) in &reads {
        for element in seen {
            let why = match adds.get(element) {
                None => format!("element {element:?} was read and never added"),
                Some(add) if matches!(add.returned, Returned::Fail) => {
                    format!("element {element:?} was read although its addition was refused")
                }
                Some(add) if read.end.is_some_and(|end| end < add.begin) => {
                    format!("element {element:?} was read before it was added")
                }
                Some(_) => continue,
            };
            return Checked::of(NAME, history.calls.len(), Some(Witness::new(why, [shown(read)])));
        }
    }
    for (element, add) in &adds {
        // From here on it must be there: acknowledged, or in a read that has returned.
        let acknowledged = matches!(add.returned, Returned::Ok(_)).then_some(add.end).flatten();
        let first_seen = reads
            .iter()
            .filter(|(_, seen)| seen.contains(element))
            .filter_map(|(read, _)| Some((read.end?, *read)))
            .min_by_key(|(end, _)| *end);
        let known = match (acknowledged, first_seen) {
            (Some(end), Some((seen, _))) => end.min(seen),
            (Some(end), None) => end,
            (None, Some((seen, _))) => seen,
            (None, None) => continue,
        };
        let Some((missed, _)) =
            reads.iter().find(|(read, seen)| read.begin > known && !seen.contains(element))
        else {
            continue;
        };
        let later = reads.iter().find(|(read, seen)| read.begin > missed.begin && seen.contains(element));
        let since = if acknowledged == Some(known) { "acknowledged" } else { "seen" };
        let why = match later {
            Some(_) => {
                format!("element {element:?} is missing in a read after it was {since}, and is back later")
            }
            None if acknowledged.is_some() && first_seen.is_none() => {
                format!("element {element:?} is lost: acknowledged, and in no read that began after that")
            }
            None => format!("element {element:?} is lost: {since}, and missing from then on"),
        };
        let mut steps = vec![shown(add)];
        steps.extend(first_seen.map(|(_, read)| read).filter(|_| since == "seen").map(shown));
        steps.push(shown(missed));
        steps.extend(later.map(|(read, _)| shown(read)));
        return Checked::of(NAME, history.calls.len(), Some(Witness::new(why, steps)));
    }
    Checked::of(NAME, history.calls.len(), None)
}

/// Calls of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CounterCall {
    /// Adds a number, which may be negative.
    Add(i64),
    /// Returns the sum.
    Read,
}

#[doc = include_str!("../../docs/checkers/counters.md")]
pub fn counter(history: &History<CounterCall, i64>) -> Checked {
    const NAME: &str = "counter";
    let mut looked_at = 0;
    for read in &history.calls {
        let (CounterCall::Read, Returned::Ok(value), Some(end)) = (read.call, &read.returned, read.end)
        else {
            continue;
        };
        looked_at += 1;
        let (mut low, mut high, mut open) = (0_i64, 0_i64, Vec::new());
        for add in &history.calls {
            let CounterCall::Add(number) = add.call else { continue };
            if matches!(add.returned, Returned::Fail) || add.begin > end {
                continue;
            }
            if add.end.is_some_and(|end| end < read.begin) {
                low = low.saturating_add(number);
                high = high.saturating_add(number);
            } else {
                low = low.saturating_add(number.min(0));
                high = high.saturating_add(number.max(0));
                open.push(format!(
                    "client {}: Add({number}), from {} on, may be in it",
                    add.client, add.begin
                ));
            }
        }
        if !(low..=high).contains(value) {
            let mut steps =
                vec![format!("client {}: Read -> {value}, from {} to {end}", read.client, read.begin)];
            steps.extend(open);
            let why = format!("a read returned {value}, where {low} to {high} was possible");
            return Checked::of(NAME, looked_at, Some(Witness::new(why, steps)));
        }
    }
    Checked::of(NAME, looked_at, None)
}

#[doc = include_str!("../../docs/checkers/bank.md")]
pub fn bank<A: AsRef<[i64]>>(total: i64, reads: &[A]) -> Checked {
    let wrong = reads.iter().enumerate().find_map(|(n, read)| {
        let read = read.as_ref();
        let sum: i128 = read.iter().map(|balance| i128::from(*balance)).sum();
        (sum != i128::from(total)).then(|| {
            let steps =
                read.iter().enumerate().map(|(account, balance)| format!("account {account}: {balance}"));
            Witness::new(format!("read {} sums up to {sum}, not {total}", n + 1), steps)
        })
    });
    Checked::of("bank", reads.len(), wrong)
}

#[doc = include_str!("../../docs/checkers/monotonic-versions.md")]
pub fn monotonic_versions<C: Ord + Debug, K: Ord + Debug, V: Ord + Debug>(seen: &[(C, K, V)]) -> Checked {
    let mut newest: BTreeMap<(&C, &K), (usize, &V)> = BTreeMap::new();
    for (at, (client, key, version)) in seen.iter().enumerate() {
        if let Some((before, newer)) = newest.get(&(client, key))
            && *newer > version
        {
            let why = format!("client {client:?} saw version {version:?} of {key:?} after version {newer:?}");
            let steps = [
                format!("observation {}: version {newer:?}", before + 1),
                format!("observation {}: version {version:?}", at + 1),
            ];
            return Checked::of("monotonic_versions", seen.len(), Some(Witness::new(why, steps)));
        }
        newest.insert((client, key), (at, version));
    }
    Checked::of("monotonic_versions", seen.len(), None)
}
