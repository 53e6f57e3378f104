//! How two snapshots of a state differ: by name in structs and maps, by key in lists whose elements have one.

use std::collections::{BTreeMap, BTreeSet};

use super::AuditValue;
use crate::pointer::pointer_step;

impl AuditValue {
    /// What differs between this snapshot and a later one of the same state, a line each, in the order of the state: what is
    /// missing, what is new, what has another value, and which elements of a list have moved.
    ///
    /// Elements of a list are matched by their key where each of them has one (`#[audit(key)]`, [`AuditValue::keyed`]), and by
    /// position otherwise. A key that stands twice is told, and matched in order. What is hidden is not shown.
    ///
    /// ```
    /// use stageflow_stress::Auditable;
    ///
    /// #[derive(Auditable)]
    /// struct Line {
    ///     #[audit(key)]
    ///     sku: &'static str,
    ///     count: u32,
    /// }
    ///
    /// let before = [Line { sku: "tea", count: 1 }, Line { sku: "bread", count: 2 }].snapshot();
    /// let after = [Line { sku: "bread", count: 3 }].snapshot();
    /// assert_eq!(before.differences(&after), ["`/tea` is missing", "`/bread/count` is 3 instead of 2"]);
    /// ```
    #[must_use]
    pub fn differences(&self, after: &AuditValue) -> Vec<String> {
        let mut found = Vec::new();
        differ("", self, after, &mut found);
        found
    }

    /// The key that tells it from its neighbours in a list.
    fn key(&self) -> Option<&str> {
        match self {
            AuditValue::Keyed(key, _) => Some(key),
            _ => None,
        }
    }

    /// The value itself, without the key.
    fn value(&self) -> &AuditValue {
        match self {
            AuditValue::Keyed(_, value) => value.value(),
            other => other,
        }
    }

    /// In a few characters.
    fn short(&self) -> String {
        let text = match self {
            AuditValue::Null => "null".to_owned(),
            AuditValue::Bool(value) => value.to_string(),
            AuditValue::Int(value) => value.to_string(),
            AuditValue::Float(bits) => format!("{:?}", f64::from_bits(*bits)),
            AuditValue::Text(text) => format!("{text:?}"),
            AuditValue::List(items) => format!("a list of {}", items.len()),
            AuditValue::Map(fields) => {
                format!("{{{}}}", fields.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            AuditValue::Hidden(_) => "hidden".to_owned(),
            AuditValue::Keyed(_, value) => value.short(),
        };
        match text.char_indices().nth(120) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

fn differ(at: &str, before: &AuditValue, after: &AuditValue, found: &mut Vec<String>) {
    if before.key() != after.key() {
        let key = |value: &AuditValue| {
            value.key().map_or_else(|| "no key".to_owned(), |key| format!("the key {key}"))
        };
        found.push(format!("{} has {} instead of {}", told(at), key(after), key(before)));
    }
    match (before.value(), after.value()) {
        (one, other) if one == other => {}
        (AuditValue::Map(one), AuditValue::Map(other)) => {
            matched(at, &by_name(one), &by_name(other), found);
        }
        (AuditValue::List(one), AuditValue::List(other)) => {
            if one.iter().chain(other).all(|item| item.key().is_some()) {
                let (one, other) = (by_key(at, "before", one, found), by_key(at, "after", other, found));
                matched(at, &one, &other, found);
                moved(at, &one, &other, found);
            } else {
                matched(at, &by_position(one), &by_position(other), found);
            }
        }
        (AuditValue::Hidden(_), AuditValue::Hidden(_)) => {
            found.push(format!("{} has another hidden value", told(at)));
        }
        (one, other) => found.push(format!("{} is {} instead of {}", told(at), other.short(), one.short())),
    }
}

fn told(at: &str) -> String {
    if at.is_empty() { "the whole".to_owned() } else { format!("`{at}`") }
}

type Named<'v> = Vec<(String, &'v AuditValue)>;

/// The elements with their keys. Of a key that stands twice the second is another element.
fn by_key<'v>(at: &str, when: &str, items: &'v [AuditValue], found: &mut Vec<String>) -> Named<'v> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = Named::new();
    for item in items {
        let key = item.key().unwrap_or_default();
        let time = times.entry(key).or_insert(0);
        *time += 1;
        named.push((if *time == 1 { key.to_owned() } else { format!("{key}#{time}") }, item));
    }
    let twice = times.iter().filter(|(_, times)| **times > 1);
    found.extend(twice.map(|(key, times)| format!("{} has the key {key} {times} times {when}", told(at))));
    named
}

fn by_name(map: &BTreeMap<String, AuditValue>) -> Named<'_> {
    map.iter().map(|(name, value)| (name.clone(), value)).collect()
}

fn by_position(items: &[AuditValue]) -> Named<'_> {
    items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
}

fn matched(at: &str, before: &Named<'_>, after: &Named<'_>, found: &mut Vec<String>) {
    let index = |named: &Named<'_>| -> BTreeMap<String, usize> {
        named.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect()
    };
    let (earlier, later) = (index(before), index(after));
    let path = |key: &str| format!("{at}/{}", pointer_step(key));
    for (key, value) in before {
        match later.get(key) {
            Some(other) => differ(&path(key), value, after[*other].1, found),
            None => found.push(format!("`{}` is missing", path(key))),
        }
    }
    let new = after.iter().filter(|(key, _)| !earlier.contains_key(key));
    found.extend(new.map(|(key, value)| format!("`{}` is new: {}", path(key), value.short())));
}

/// Elements that stand in both lists, in another order.
fn moved(at: &str, before: &Named<'_>, after: &Named<'_>, found: &mut Vec<String>) {
    fn common<'n>(list: &'n Named<'_>, other: &Named<'_>) -> Vec<&'n str> {
        let known: BTreeSet<&str> = other.iter().map(|(key, _)| key.as_str()).collect();
        list.iter().map(|(key, _)| key.as_str()).filter(|key| known.contains(key)).collect()
    }
    let (one, other) = (common(before, after), common(after, before));
    let moved: Vec<&str> =
        one.iter().zip(&other).filter(|(one, other)| one != other).map(|(_, key)| *key).collect();
    if !moved.is_empty() {
        found.push(format!("{} has elements in another order: {}", told(at), moved.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Auditable;

    fn line(sku: &str, count: i128) -> AuditValue {
        let fields = [("sku", sku.snapshot()), ("count", AuditValue::Int(count))];
        AuditValue::keyed(&[sku.snapshot()], AuditValue::map(fields))
    }

    fn cart(lines: &[AuditValue]) -> AuditValue {
        AuditValue::map([("lines", AuditValue::List(lines.to_vec()))])
    }

    fn told(before: &[AuditValue], after: &[AuditValue]) -> Vec<String> {
        cart(before).differences(&cart(after))
    }

    #[test]
    fn an_element_is_known_by_its_key_and_not_by_its_place() {
        let (tea, bread) = (line("tea", 1), line("bread", 2));
        assert_eq!(told(&[tea.clone(), bread.clone()], &[tea.clone(), bread.clone()]), [""; 0]);
        // By position, everything after a missing element would be another.
        assert_eq!(
            told(&[tea.clone(), bread.clone()], std::slice::from_ref(&bread)),
            ["`/lines/tea` is missing"]
        );
        assert_eq!(
            told(std::slice::from_ref(&bread), &[tea.clone(), bread.clone()]),
            ["`/lines/tea` is new: {count, sku}"]
        );
        assert_eq!(
            told(&[tea.clone(), bread.clone()], &[line("bread", 9), tea.clone()]),
            ["`/lines/bread/count` is 9 instead of 2", "`/lines` has elements in another order: bread, tea"]
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_told() {
        let (tea, more) = (line("tea", 1), line("tea", 5));
        assert_eq!(
            told(std::slice::from_ref(&tea), &[tea.clone(), more]),
            ["`/lines` has the key tea 2 times after", "`/lines/tea#2` is new: {count, sku}"]
        );
    }

    #[test]
    fn without_keys_position_decides() {
        let list = |items: &[&str]| items.snapshot();
        assert_eq!(
            list(&["a", "b"]).differences(&list(&["b"])),
            ["`/0` is \"b\" instead of \"a\"", "`/1` is missing"]
        );
    }

    #[test]
    fn what_is_hidden_is_not_shown() {
        let card = |number: &str| AuditValue::map([("card", AuditValue::hidden(&number.snapshot()))]);
        assert_eq!(card("4711").differences(&card("4712")), ["`/card` has another hidden value"]);
    }

    /// Whatever differs is told, and nothing else.
    #[test]
    fn two_snapshots_are_equal_exactly_if_nothing_is_told() {
        let all = [
            AuditValue::Null,
            AuditValue::Int(1),
            AuditValue::List(vec![]),
            AuditValue::map::<&str>([]),
            line("tea", 1),
            line("tea", 2),
            line("bread", 1),
            cart(&[line("tea", 1), line("bread", 1)]),
            cart(&[line("bread", 1), line("tea", 1)]),
            cart(&[line("tea", 1), AuditValue::Int(1)]),
            AuditValue::hidden(&AuditValue::Int(1)),
        ];
        for one in &all {
            for other in &all {
                let told = one.differences(other);
                assert_eq!(one == other, told.is_empty(), "{one:?} {other:?} {told:?}");
            }
        }
    }
}
