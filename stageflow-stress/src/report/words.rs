//! Numbers as people read them. Files for programs have them in full.

use crate::stats::{Proportion, Z_95};

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

/// How often something was seen, with what that says about its rate, and the word for it if there is one.
pub fn frequency(seen: u64, trials: u64, word: Option<&str>) -> String {
    let word = word.map_or_else(String::new, |word| format!(", {word}"));
    match Proportion::new(seen, trials).and_then(|proportion| proportion.wilson(Z_95)) {
        Ok(interval) => format!(
            "{seen} of {trials}{word}; 95 % interval {:.1} % to {:.1} %",
            interval.low * 100.0,
            interval.high * 100.0
        ),
        Err(_) => format!("{seen} of {trials}{word}"),
    }
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

    #[test]
    fn a_frequency_has_its_interval() {
        assert_eq!(frequency(3, 20, Some("sometimes")), "3 of 20, sometimes; 95 % interval 5.2 % to 36.0 %");
        assert_eq!(frequency(3, 0, None), "3 of 0");
    }
}
