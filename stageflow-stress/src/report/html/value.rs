//! Reading documents whose author may be anybody: what is not there is absent, and nothing here fails.

use serde_json::Value;

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

/// Nanoseconds in the unit in which they are read best.
pub fn duration(nanos: f64) -> String {
    for (unit, size) in [("h", 3_600e9), ("min", 60e9), ("s", 1e9), ("ms", 1e6), ("µs", 1e3)] {
        if nanos >= size {
            return format!("{} {unit}", short(nanos / size));
        }
    }
    format!("{} ns", short(nanos))
}

/// A number with three figures that count, or all its digits before the point.
pub fn short(number: f64) -> String {
    if !number.is_finite() {
        return "not a number".to_owned();
    }
    let size = number.abs();
    if size >= 1e15 {
        return format!("{number:.2e}");
    }
    let decimals = if size >= 100.0 || size == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        // The first figure that is not zero, and two more.
        (2 - size.log10().floor() as i32).clamp(2, 12) as usize
    };
    let mut text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let shown: Vec<String> =
            [0.0, 0.000_123_4, 0.5, 1.0, 1.234, 12.34, 123.4, 1e6, -2.71, 1e18].map(short).into();
        assert_eq!(
            shown,
            ["0", "0.000123", "0.5", "1", "1.23", "12.3", "123", "1000000", "-2.71", "1.00e18"]
        );
        let shown: Vec<String> = [0.0, 999.0, 1_500.0, 28_472_668.0, 61e9, 7_200e9].map(duration).into();
        assert_eq!(shown, ["0 ns", "999 ns", "1.5 µs", "28.5 ms", "1.02 min", "2 h"]);
    }
}
