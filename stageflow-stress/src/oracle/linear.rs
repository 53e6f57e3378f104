//! Linearizability: is there an order of the calls, each within its own time, in which a thing without concurrency would
//! have returned the same?
//!
//! The search is that of Wing and Gong (Testing and verifying concurrent objects, 1993) with Lowe's memory of states that were
//! reached before (Testing for linearizability, 2017). The key of that memory is the first call that is not in the order yet and
//! which of those after it are: as long as calls overlap little, it is a few words, however long the history is.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use super::history::{Called, History, Returned};
use super::models::Model;
use super::{Checked, Verdict, Witness};

const NAME: &str = "linearizable";

/// When a search gives up, and says unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// After so many different states.
    pub states: usize,
    /// After so much time.
    pub time: Duration,
}

impl Default for Limits {
    /// Five million states, one minute.
    fn default() -> Self {
        Limits { states: 5_000_000, time: Duration::from_secs(60) }
    }
}

impl Limits {
    /// Limits of one's own.
    #[must_use]
    pub fn new(states: usize, time: Duration) -> Self {
        Limits { states, time }
    }
}

#[doc = include_str!("../../docs/checkers/linearizability.md")]
pub fn linearizable<M: Model>(model: &M, history: &History<M::Call, M::Return>) -> Checked {
    linearizable_within(model, history, Limits::default())
}

/// The same with limits of one's own.
pub fn linearizable_within<M: Model>(
    model: &M,
    history: &History<M::Call, M::Return>,
    limits: Limits,
) -> Checked {
    let calls: Vec<&Called<M::Call, M::Return>> = history.calls.iter().collect();
    Checked { checker: NAME, looked_at: calls.len() as u64, verdict: verdict(model, &calls, limits) }
}

/// Whether the history of each key is linearizable by itself, which is the same as that of all and much less work.
///
/// ```
/// use stageflow_stress::oracle::{Called, History, Register, RegisterCall, Returned, linearizable_per_key};
///
/// let call = |key, call, value, at| Called::new(0, (key, call), Returned::Ok(value), at, at + 1);
/// let history: History<(&str, RegisterCall), Option<i64>> =
///     [call("a", RegisterCall::Write(1), None, 0), call("b", RegisterCall::Read, None, 2)].into_iter().collect();
/// assert!(linearizable_per_key(&Register::default(), &history).is_valid());
/// ```
pub fn linearizable_per_key<K: Ord + Clone + Debug, M: Model>(
    model: &M,
    history: &History<(K, M::Call), M::Return>,
) -> Checked
where
    M::Call: Clone,
    M::Return: Clone,
{
    let mut by_key: BTreeMap<K, Vec<_>> = BTreeMap::new();
    for called in &history.calls {
        let (key, call) = &called.call;
        by_key.entry(key.clone()).or_default().push(Called {
            client: called.client,
            call: call.clone(),
            returned: called.returned.clone(),
            begin: called.begin,
            end: called.end,
        });
    }
    let verdicts = by_key.into_iter().map(|(key, calls)| {
        let mut checked = linearizable(model, &History { calls });
        if let Verdict::Invalid(witness) = &mut checked.verdict {
            witness.why = format!("key {key:?}: {}", witness.why);
        }
        checked
    });
    Checked::worst(NAME, verdicts)
}

fn verdict<M: Model>(model: &M, calls: &[&Called<M::Call, M::Return>], limits: Limits) -> Verdict {
    // What failed did not happen, and says nothing.
    let happened: Vec<_> =
        calls.iter().copied().filter(|called| !matches!(called.returned, Returned::Fail)).collect();
    if !happened.iter().any(|called| called.end.is_some()) {
        return Verdict::Unknown("no call returned: there was nothing to look at".to_owned());
    }
    let until = Instant::now() + limits.time;
    match search(model, &happened, limits.states, until) {
        Found::Order => Verdict::Valid,
        Found::GaveUp(why) => Verdict::Unknown(why),
        Found::None => Verdict::Invalid(witness(model, happened, limits.states, until)),
    }
}

enum Found {
    Order,
    None,
    GaveUp(String),
}

/// The smallest part of a history without an order that can be had in the time that is left.
fn witness<M: Model>(
    model: &M,
    calls: Vec<&Called<M::Call, M::Return>>,
    states: usize,
    until: Instant,
) -> Witness {
    let fails = |calls: &[&Called<M::Call, M::Return>], end: u64| {
        matches!(search_until(model, calls, end, states, until), Found::None)
    };
    // What begins a history that has an order has one as well, so the shortest beginning without one can be halved towards.
    let mut ends: Vec<u64> = calls.iter().filter_map(|called| called.end).collect();
    ends.sort_unstable();
    let (mut low, mut high) = (0, ends.len() - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if fails(&calls, ends[middle]) { high = middle } else { low = middle + 1 }
    }
    let end = ends[low];
    let mut kept: Vec<_> = calls.into_iter().filter(|called| called.begin <= end).collect();
    // Leaving reads out never takes an order away, so what fails without one needs it not.
    let mut at = kept.len();
    while at > 0 && Instant::now() < until {
        at -= 1;
        if model.is_read(&kept[at].call) {
            let read = kept.remove(at);
            if !fails(&kept, end) {
                kept.insert(at, read);
            }
        }
    }
    let steps = kept.iter().map(|called| {
        let inside = called.end.filter(|own| *own <= end);
        match (&called.returned, inside) {
            (Returned::Ok(value), Some(own)) => {
                format!(
                    "client {}: {:?} -> {value:?}, from {} to {own}",
                    called.client, called.call, called.begin
                )
            }
            _ => format!(
                "client {}: {:?}, from {} on, without an answer",
                called.client, called.call, called.begin
            ),
        }
    });
    Witness::new(
        format!("no order of these {} calls explains what they returned", kept.len()),
        steps.collect::<Vec<_>>(),
    )
}

fn search<M: Model>(
    model: &M,
    calls: &[&Called<M::Call, M::Return>],
    states: usize,
    until: Instant,
) -> Found {
    search_until(model, calls, u64::MAX, states, until)
}

const NONE: usize = usize::MAX;

/// The calls and returns that are not in the order yet, in the order of their moments, as a list that parts can be taken out of
/// and put back into.
struct Events {
    /// The call of each event, and whether it is its return.
    event: Vec<(usize, bool)>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Where the return of a call is; none where it never returned.
    return_of: Vec<usize>,
    head: usize,
}

impl Events {
    fn unlink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        if previous == NONE {
            self.head = next
        } else {
            self.next[previous] = next
        }
        if next != NONE {
            self.previous[next] = previous;
        }
    }

    fn relink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        if previous == NONE {
            self.head = at
        } else {
            self.next[previous] = at
        }
        if next != NONE {
            self.previous[next] = at;
        }
    }
}

/// Searches an order of what had begun at `end`. What returned later has not returned.
fn search_until<M: Model>(
    model: &M,
    calls: &[&Called<M::Call, M::Return>],
    end: u64,
    states: usize,
    until: Instant,
) -> Found {
    let calls: Vec<_> = calls.iter().filter(|called| called.begin <= end).collect();
    let returned = |at: usize| match (&calls[at].returned, calls[at].end) {
        (Returned::Ok(value), Some(own)) if own <= end => Some(value),
        _ => None,
    };
    let mut moments: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * calls.len());
    for (at, called) in calls.iter().enumerate() {
        moments.push((called.begin, false, at));
        if let (Some(_), Some(own)) = (returned(at), called.end) {
            moments.push((own, true, at));
        }
    }
    moments.sort_unstable_by_key(|(moment, is_return, at)| (*moment, *is_return, *at));
    let n = moments.len();
    let mut return_of = vec![NONE; calls.len()];
    for (event, (_, is_return, at)) in moments.iter().enumerate() {
        if *is_return {
            return_of[*at] = event;
        }
    }
    let events = Events {
        event: moments.iter().map(|(_, is_return, at)| (*at, *is_return)).collect(),
        next: (0..n).map(|at| if at + 1 < n { at + 1 } else { NONE }).collect(),
        previous: (0..n).map(|at| at.checked_sub(1).unwrap_or(NONE)).collect(),
        return_of,
        head: if n > 0 { 0 } else { NONE },
    };
    let left = events.return_of.iter().filter(|at| **at != NONE).count();
    let mut walk =
        Walk { events, left, ordered: Ordered::new(calls.len()), state: model.initial(), stack: Vec::new() };
    let step = |state: &M::State, call: usize| model.step(state, &calls[call].call, returned(call));
    let read =
        |state: &M::State, call: usize| model.is_read(&calls[call].call) && step(state, call).is_some();
    let mut seen: HashSet<(Key, M::State), BuildHasherDefault<Quick>> = HashSet::default();
    walk.take_reads(read);
    let mut at = walk.events.head;
    let mut turns = 0_u32;
    while walk.left > 0 {
        turns = turns.wrapping_add(1);
        if turns.is_multiple_of(4_096) && Instant::now() > until {
            return Found::GaveUp(format!("the time was over after {} states", seen.len()));
        }
        // The list ends before everything that returned is in the order: none of what can be next fits.
        if at == NONE || walk.events.event[at].1 {
            match walk.back() {
                Some(last) => at = walk.events.next[last],
                None => return Found::None,
            }
            continue;
        }
        let Some(after) = step(&walk.state, walk.events.event[at].0) else {
            at = walk.events.next[at];
            continue;
        };
        walk.take(at, after, true);
        walk.take_reads(read);
        if seen.insert((walk.ordered.key(), walk.state.clone())) {
            if seen.len() > states {
                return Found::GaveUp(format!("more than {states} states"));
            }
            at = walk.events.head;
        } else {
            // It has been here before, on another way.
            at = walk.back().map_or(NONE, |last| walk.events.next[last]);
        }
    }
    Found::Order
}

/// The order so far, and what is left.
struct Walk<S> {
    events: Events,
    /// Calls that returned and are not in the order.
    left: usize,
    ordered: Ordered,
    state: S,
    /// The events of the order, each with the state before it, and whether something else could have been taken instead.
    stack: Vec<(usize, S, bool)>,
}

impl<S: Clone> Walk<S> {
    /// Puts the call of an event into the order.
    fn take(&mut self, at: usize, after: S, chosen: bool) {
        let call = self.events.event[at].0;
        self.ordered.set(call);
        self.stack.push((at, std::mem::replace(&mut self.state, after), chosen));
        self.events.unlink(at);
        if self.events.return_of[call] != NONE {
            self.events.unlink(self.events.return_of[call]);
            self.left -= 1;
        }
    }

    /// Puts every read that fits now into the order. It changes nothing for the others, so that there is an order with it
    /// here if there is one at all, and nothing else need be tried in its place.
    fn take_reads(&mut self, fits: impl Fn(&S, usize) -> bool) {
        let mut at = self.events.head;
        while at != NONE && !self.events.event[at].1 {
            let next = self.events.next[at];
            if fits(&self.state, self.events.event[at].0) {
                // The return of this call may be what comes next.
                let own = self.events.return_of[self.events.event[at].0];
                let next = if next == own && next != NONE { self.events.next[next] } else { next };
                let state = self.state.clone();
                self.take(at, state, false);
                at = next;
            } else {
                at = next;
            }
        }
    }

    /// Takes back the last choice and what followed from it; the event that was chosen, none if there was no choice left.
    fn back(&mut self) -> Option<usize> {
        while let Some((at, before, chosen)) = self.stack.pop() {
            let call = self.events.event[at].0;
            self.state = before;
            self.ordered.unset(call);
            if self.events.return_of[call] != NONE {
                self.events.relink(self.events.return_of[call]);
                self.left += 1;
            }
            self.events.relink(at);
            if chosen {
                return Some(at);
            }
        }
        None
    }
}

/// Which calls are in the order.
struct Ordered {
    words: Vec<u64>,
    /// The first word that is not full.
    first: usize,
    /// One beyond the last word that is not empty.
    last: usize,
}

/// The first word that is not full, and the words from there to the last that is not empty: few, as long as calls overlap
/// little, and then without an allocation.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Few(u32, [u64; FEW]),
    Many(u32, Box<[u64]>),
}

const FEW: usize = 3;

/// A hash that is quick for a few words. Nobody makes histories so that it is slow.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        // The table takes the upper bits for one thing and the lower ones for another.
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}

impl Ordered {
    fn new(n: usize) -> Self {
        Ordered { words: vec![0; n.div_ceil(64)], first: 0, last: 0 }
    }

    fn set(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
        self.last = self.last.max(at / 64 + 1);
        while self.first < self.words.len() && self.words[self.first] == u64::MAX {
            self.first += 1;
        }
    }

    fn unset(&mut self, at: usize) {
        self.words[at / 64] &= !(1 << (at % 64));
        self.first = self.first.min(at / 64);
        while self.last > 0 && self.words[self.last - 1] == 0 {
            self.last -= 1;
        }
    }

    fn key(&self) -> Key {
        let part = &self.words[self.first.min(self.last)..self.last];
        if part.len() > FEW {
            return Key::Many(self.first as u32, part.into());
        }
        let mut few = [0; FEW];
        few[..part.len()].copy_from_slice(part);
        Key::Few(self.first as u32, few)
    }
}
