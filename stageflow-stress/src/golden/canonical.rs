//! One text for one value: keys sorted, numbers as they are.

use serde::Serialize;
use serde_json::{Map, Value};

/// Pretty JSON with sorted keys. Numbers keep every digit, so that `9007199254740993` and `…992` stay apart.
///
/// # Errors
/// If the value cannot be written as JSON, such as a map whose keys are not text.
pub fn canonical_json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&sorted(serde_json::to_value(value)?))
}

/// Sorts explicitly: whether serde_json's map keeps insertion order is decided by features of the user's build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.into_iter().collect();
            pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(pairs.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_order_of_a_hash_map_does_not_show() {
        let keys = ["b", "a", "d", "c"];
        let map: HashMap<_, _> = keys.into_iter().zip(0..).collect();
        let text = canonical_json(&map).unwrap();
        let positions: Vec<_> =
            ["\"a\"", "\"b\"", "\"c\"", "\"d\""].map(|key| text.find(key).unwrap()).into();
        assert!(positions.is_sorted());
    }

    #[test]
    fn integers_beyond_two_to_the_53_keep_their_digits() {
        assert_eq!(canonical_json(&9_007_199_254_740_993_u64).unwrap(), "9007199254740993");
    }
}
