//! Reading documents whose author may be anybody: what is not there is absent, and nothing here fails.

use serde_json::Value;

pub use crate::report::words::{duration, short};

/// The text of a field; empty where there is none. A number or a boolean counts as its text.
pub fn text(value: &Value, key: &str) -> String {
    plain(&value[key])
}

/// A value as text; empty for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => format!("{other:#}"),
    }
}

/// The number of a field, if it is one.
pub fn number(value: &Value, key: &str) -> Option<f64> {
    value[key].as_f64().filter(|number| number.is_finite())
}

/// The count of a field; zero where there is none.
pub fn natural(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

/// The items of a field; none where it is no list.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().map(plain).collect()
}

/// The fields of an object, with their numbers.
pub fn counts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, u64)> {
    value[key]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(word, count)| (word.as_str(), count.as_u64().unwrap_or_default()))
}

/// A time for people: to the second, in UTC.
pub fn time(text: &str) -> String {
    match humantime::parse_rfc3339_weak(text) {
        Ok(time) => {
            humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
        }
        Err(_) => text.to_owned(),
    }
}

/// Seconds since 1970, if it is a time.
pub fn seconds(text: &str) -> Option<f64> {
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    time.duration_since(std::time::UNIX_EPOCH).ok().map(|duration| duration.as_secs_f64())
}
