//! Effects: once, intended, in order, and still there afterwards.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Checked, Witness};

/// What a caller was told of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledged {
    /// That it was done.
    Done,
    /// That it was not.
    Refused,
    /// Nothing.
    Unknown,
}

/// Whether each idempotency key had its effect exactly once: once where the caller was told that it was done (however often it
/// asked), never where it was refused, at most once where it was told nothing, and no effect that nobody asked for.
///
/// ```
/// use stageflow_stress::oracle::{Acknowledged::Done, Verdict, exactly_once};
/// let requests = [("order-1", Done), ("order-1", Done), ("order-2", Done)];
/// assert!(exactly_once(&requests, &["order-1", "order-2"]).is_valid());
/// let Verdict::Invalid(twice) = exactly_once(&requests, &["order-1", "order-1", "order-2"]).verdict else { panic!() };
/// assert_eq!(twice.why, "\"order-1\" had its effect 2 times");
/// ```
pub fn exactly_once<K: Ord + Debug>(requests: &[(K, Acknowledged)], effects: &[K]) -> Checked {
    let mut told: BTreeMap<&K, (u64, u64, u64)> = BTreeMap::new();
    for (key, acknowledged) in requests {
        let counts = told.entry(key).or_default();
        match acknowledged {
            Acknowledged::Done => counts.0 += 1,
            Acknowledged::Refused => counts.1 += 1,
            Acknowledged::Unknown => counts.2 += 1,
        }
    }
    let mut happened: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
    for (at, key) in effects.iter().enumerate() {
        happened.entry(key).or_default().push(at);
    }
    let asked = |key: &K| match told.get(key) {
        Some((done, refused, unknown)) => {
            format!(
                "{key:?} was asked for: {done} times done, {refused} refused, {unknown} without an answer"
            )
        }
        None => format!("{key:?} was never asked for"),
    };
    let unasked = happened
        .keys()
        .find(|key| !told.contains_key(**key))
        .map(|key| Witness::new(format!("{key:?} had an effect that nobody asked for"), [asked(key)]));
    let wrong = unasked.or_else(|| {
        told.iter().find_map(|(key, (done, _, unknown))| {
            let at = happened.get(key).map_or(&[][..], Vec::as_slice);
            let why = match at.len() {
                times if times > 1 => format!("{key:?} had its effect {times} times"),
                0 if *done > 0 => format!("{key:?} was acknowledged and had no effect"),
                1 if *done == 0 && *unknown == 0 => format!("{key:?} was refused and had its effect"),
                _ => return None,
            };
            let places = at.iter().map(|at| format!("effect {} of {}", at + 1, effects.len()));
            Some(Witness::new(why, std::iter::once(asked(key)).chain(places)))
        })
    });
    Checked::of("exactly_once", requests.len() + effects.len(), wrong)
}

/// Whether exactly the intended effects happened, once each, in order. The witness is the first place at which they part.
///
/// ```
/// use stageflow_stress::oracle::side_effects;
/// assert!(side_effects(&["reserve", "charge", "mail"], &["reserve", "charge", "mail"]).is_valid());
/// assert!(!side_effects(&["reserve", "charge", "mail"], &["charge", "reserve", "mail"]).is_valid());
/// ```
pub fn side_effects<E: PartialEq + Debug>(intended: &[E], happened: &[E]) -> Checked {
    let parts = (0..intended.len().max(happened.len())).find(|at| intended.get(*at) != happened.get(*at));
    let witness = parts.map(|at| {
        let shown =
            |effect: Option<&E>| effect.map_or_else(|| "nothing".to_owned(), |effect| format!("{effect:?}"));
        let steps = [
            format!("intended: {}", shown(intended.get(at))),
            format!("happened: {}", shown(happened.get(at))),
        ];
        Witness::new(format!("effect {} is not the intended one", at + 1), steps)
    });
    Checked::of("side_effects", intended.len() + happened.len(), witness)
}

/// Whether everything that was acknowledged before a kill is there after the restart, as it was. What was not acknowledged
/// may be there or not.
///
/// ```
/// use stageflow_stress::oracle::durable;
/// assert!(durable(&[("a", 1), ("b", 2)], &[("b", 2), ("a", 1), ("c", 3)]).is_valid());
/// assert!(!durable(&[("a", 1)], &[("a", 2)]).is_valid());
/// ```
pub fn durable<K: Ord + Debug, V: PartialEq + Debug>(acknowledged: &[(K, V)], found: &[(K, V)]) -> Checked {
    let there: BTreeMap<&K, &V> = found.iter().map(|(key, value)| (key, value)).collect();
    // The last acknowledged value of a key is the one that must be there.
    let last: BTreeMap<&K, &V> = acknowledged.iter().map(|(key, value)| (key, value)).collect();
    let wrong = last.iter().find_map(|(key, value)| match there.get(key) {
        Some(kept) if kept == value => None,
        Some(kept) => Some(Witness::new(
            format!("{key:?} was acknowledged and is another after the restart"),
            [format!("acknowledged: {value:?}"), format!("found: {kept:?}")],
        )),
        None => Some(Witness::new(
            format!("{key:?} was acknowledged and is gone after the restart"),
            [format!("acknowledged: {value:?}")],
        )),
    });
    Checked::of("durable", acknowledged.len(), wrong)
}

/// Whether copies are the same, once writing has ended and they had the time to become so.
///
/// ```
/// use stageflow_stress::oracle::converged;
/// assert!(converged(&[("eu", "v7"), ("us", "v7")]).is_valid());
/// assert!(!converged(&[("eu", "v7"), ("us", "v6")]).is_valid());
/// assert!(!converged(&[("eu", "v7")]).is_valid()); // one copy shows nothing
/// ```
pub fn converged<N: Debug, S: PartialEq + Debug>(copies: &[(N, S)]) -> Checked {
    const NAME: &str = "converged";
    let [(first_name, first), others @ ..] = copies else { return Checked::of(NAME, 0, None) };
    if others.is_empty() {
        return Checked::unknown(NAME, 1, "there is one copy only: nothing to compare it with");
    }
    let wrong = others.iter().find(|(_, state)| state != first).map(|(name, state)| {
        let steps = [format!("{first_name:?}: {first:?}"), format!("{name:?}: {state:?}")];
        Witness::new(format!("copies {first_name:?} and {name:?} differ"), steps)
    });
    Checked::of(NAME, copies.len(), wrong)
}
