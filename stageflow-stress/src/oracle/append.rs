//! Transactions that append to lists: which order of them do the reads betray, and does it go in circles?
//!
//! The inference is that of Elle (Kingsbury and Alvaro, 2020), for lists: each element is appended once, so a read of a list
//! tells which transactions came before, and in which order.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::graph::shortest_cycle;
use super::{Checked, Witness};

/// A step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Micro<K> {
    /// Appends an element, which no other transaction appends to this list.
    Append(K, i64),
    /// Read a list, and found this.
    Read(K, Vec<i64>),
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction<K> {
    /// Its steps, in order.
    pub steps: Vec<Micro<K>>,
    /// Whether it was committed; none where nobody knows.
    pub committed: Option<bool>,
}

impl<K> Transaction<K> {
    /// A committed transaction.
    #[must_use]
    pub fn committed(steps: impl IntoIterator<Item = Micro<K>>) -> Self {
        Transaction { steps: steps.into_iter().collect(), committed: Some(true) }
    }

    /// A transaction that was rolled back.
    #[must_use]
    pub fn aborted(steps: impl IntoIterator<Item = Micro<K>>) -> Self {
        Transaction { committed: Some(false), ..Transaction::committed(steps) }
    }

    /// A transaction of which it is not known whether it was committed.
    #[must_use]
    pub fn unknown(steps: impl IntoIterator<Item = Micro<K>>) -> Self {
        Transaction { committed: None, ..Transaction::committed(steps) }
    }
}

/// How one transaction is known to come before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// It appended, and the other appended right after.
    Writes,
    /// It appended what the other read last.
    Reads,
    /// It did not read what the other appended.
    Misses,
}

#[doc = include_str!("../../docs/checkers/append-cycles.md")]
pub fn append_cycles<K: Ord + Clone + Debug>(history: &[Transaction<K>]) -> Checked {
    const NAME: &str = "append_cycles";
    let done = |witness| Checked::of(NAME, history.len(), witness);
    let mut appended: BTreeMap<(&K, i64), usize> = BTreeMap::new();
    for (at, transaction) in history.iter().enumerate() {
        for step in &transaction.steps {
            if let Micro::Append(key, element) = step
                && let Some(other) = appended.insert((key, *element), at)
            {
                let why = format!("{element} is appended twice to {key:?}, so reads of it tell nothing");
                return Checked::unknown(
                    NAME,
                    history.len(),
                    format!("{why} (transactions {other} and {at})"),
                );
            }
        }
    }
    let shown = |at: usize| format!("transaction {at}: {:?}", history[at].steps);
    // The longest read of each list is its order, and every other read must be a beginning of it.
    let mut orders: BTreeMap<&K, (usize, &[i64])> = BTreeMap::new();
    for (at, transaction) in history.iter().enumerate() {
        if transaction.committed == Some(false) {
            continue;
        }
        let mut own: BTreeMap<&K, Vec<i64>> = BTreeMap::new();
        for step in &transaction.steps {
            match step {
                Micro::Append(key, element) => own.entry(key).or_default().push(*element),
                Micro::Read(key, elements) => {
                    for element in elements {
                        match appended.get(&(key, *element)) {
                            None => {
                                let why = format!("{element} was read from {key:?} and nobody appended it");
                                return done(Some(Witness::new(why, [shown(at)])));
                            }
                            Some(by) if history[*by].committed == Some(false) => {
                                let why = format!("G1a: {element} was read from {key:?} and rolled back");
                                return done(Some(Witness::new(why, [shown(*by), shown(at)])));
                            }
                            Some(_) => {}
                        }
                    }
                    if let Some(own) = own.get(key)
                        && !elements.ends_with(own)
                    {
                        let why = format!("a transaction does not read what it appended itself to {key:?}");
                        return done(Some(Witness::new(why, [shown(at)])));
                    }
                    let (by, longest) = orders.entry(key).or_insert((at, elements));
                    let (short, long) = if elements.len() > longest.len() {
                        (*longest, &elements[..])
                    } else {
                        (&elements[..], *longest)
                    };
                    if !long.starts_with(short) {
                        let why = format!("two reads of {key:?} contradict each other");
                        return done(Some(Witness::new(why, [shown(*by), shown(at)])));
                    }
                    if elements.len() > longest.len() {
                        (*by, *longest) = (at, elements);
                    }
                }
            }
        }
    }
    if orders.is_empty() {
        return Checked::unknown(NAME, history.len(), "no list was read: there was nothing to look at");
    }
    let edges = edges(history, &appended, &orders);
    let none_of = |edge: &Edge| *edge != Edge::Misses;
    let cycle = shortest_cycle(&edges, |edge| *edge == Edge::Writes)
        .or_else(|| shortest_cycle(&edges, none_of))
        .or_else(|| shortest_cycle(&edges, |_| true));
    let Some(cycle) = cycle else { return done(None) };
    let label = |n: usize| {
        let (from, to) = (cycle[n], cycle[(n + 1) % cycle.len()]);
        let between = || edges[from].iter().filter(move |(other, _)| *other == to).map(|(_, edge)| *edge);
        [Edge::Writes, Edge::Reads, Edge::Misses].into_iter().find(|edge| between().any(|own| own == *edge))
    };
    let labels: Vec<Edge> = (0..cycle.len()).filter_map(label).collect();
    let misses = labels.iter().filter(|edge| **edge == Edge::Misses).count();
    let name = match misses {
        0 if labels.iter().all(|edge| *edge == Edge::Writes) => "G0",
        0 => "G1c",
        1 => "G-single",
        _ => "G2",
    };
    let steps = cycle.iter().zip(&labels).enumerate().map(|(n, (at, edge))| {
        let relation = match edge {
            Edge::Writes => "appended before",
            Edge::Reads => "was read by",
            Edge::Misses => "did not see",
        };
        format!("{}, {relation} transaction {}", shown(*at), cycle[(n + 1) % cycle.len()])
    });
    let why = format!("{name}: {} transactions cannot be put in an order", cycle.len());
    done(Some(Witness::new(why, steps)))
}

fn edges<K: Ord>(
    history: &[Transaction<K>],
    appended: &BTreeMap<(&K, i64), usize>,
    orders: &BTreeMap<&K, (usize, &[i64])>,
) -> Vec<Vec<(usize, Edge)>> {
    let mut edges: Vec<Vec<(usize, Edge)>> = vec![Vec::new(); history.len()];
    let mut add = |from: usize, to: usize, edge: Edge| {
        if from != to && !edges[from].contains(&(to, edge)) {
            edges[from].push((to, edge));
        }
    };
    let by = |key: &K, element: i64| appended.get(&(key, element)).copied();
    for (key, (_, order)) in orders {
        for pair in order.windows(2) {
            if let (Some(first), Some(second)) = (by(key, pair[0]), by(key, pair[1])) {
                add(first, second, Edge::Writes);
            }
        }
    }
    for (at, transaction) in history.iter().enumerate() {
        // Of a transaction that was not committed, nothing follows from what it read.
        if transaction.committed == Some(false) {
            continue;
        }
        for step in &transaction.steps {
            let Micro::Read(key, elements) = step else { continue };
            if let Some(writer) = elements.last().and_then(|last| by(key, *last)) {
                add(writer, at, Edge::Reads);
            }
            let next = orders.get(key).and_then(|(_, order)| order.get(elements.len()));
            if let Some(writer) = next.and_then(|next| by(key, *next)) {
                add(at, writer, Edge::Misses);
            }
        }
    }
    edges
}
