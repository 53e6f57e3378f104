//! What differs between a reference and a value.

use serde_json::Value;
use similar::TextDiff;

use crate::pointer::pointer_step;

/// A unified diff with three lines of context.
pub fn unified(reference: &str, actual: &str) -> String {
    TextDiff::from_lines(reference, actual)
        .unified_diff()
        .context_radius(3)
        .header("reference", "actual")
        .to_string()
}

/// The places that differ, as JSON pointers (RFC 6901) with both values. Empty if either side is not JSON.
pub fn pointers(reference: &str, actual: &str, limit: usize) -> Vec<String> {
    let (Ok(reference), Ok(actual)) = (serde_json::from_str(reference), serde_json::from_str(actual)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    walk(&reference, &actual, &mut String::new(), limit, &mut found);
    found
}

fn walk(reference: &Value, actual: &Value, at: &mut String, limit: usize, found: &mut Vec<String>) {
    if found.len() >= limit || reference == actual {
        return;
    }
    let length = at.len();
    match (reference, actual) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                at.push('/');
                at.push_str(&pointer_step(key));
                match right.get(key) {
                    Some(other) => walk(value, other, at, limit, found),
                    None => report(at, &value.to_string(), "missing", limit, found),
                }
                at.truncate(length);
            }
            for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                at.push('/');
                at.push_str(&pointer_step(key));
                report(at, "missing", &value.to_string(), limit, found);
                at.truncate(length);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for n in 0..left.len().max(right.len()) {
                at.push_str(&format!("/{n}"));
                match (left.get(n), right.get(n)) {
                    (Some(value), Some(other)) => walk(value, other, at, limit, found),
                    (value, other) => {
                        let text =
                            |value: Option<&Value>| value.map_or("missing".to_owned(), Value::to_string);
                        report(at, &text(value), &text(other), limit, found);
                    }
                }
                at.truncate(length);
            }
        }
        _ => report(at, &reference.to_string(), &actual.to_string(), limit, found),
    }
}

fn report(at: &str, reference: &str, actual: &str, limit: usize, found: &mut Vec<String>) {
    if found.len() < limit {
        let place = if at.is_empty() { "(the whole)" } else { at };
        found.push(format!("{place}: {reference} -> {actual}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named_by_its_pointer() {
        let found = pointers(r#"{"a":[1,2],"b/c":1,"d":0}"#, r#"{"a":[1,3,4],"b/c":2,"e":null}"#, 10);
        assert_eq!(
            found,
            [
                "/a/1: 2 -> 3",
                "/a/2: missing -> 4",
                "/b~1c: 1 -> 2",
                "/d: 0 -> missing",
                "/e: missing -> null"
            ]
        );
        assert_eq!(pointers("[1,2,3]", "[4,5,6]", 2).len(), 2);
    }

    #[test]
    fn numbers_that_a_double_cannot_tell_apart_differ() {
        assert_eq!(pointers("9007199254740993", "9007199254740992", 5).len(), 1);
    }
}
