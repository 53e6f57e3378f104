//! Times as text.

/// Whether a text is a time of RFC 3339. Validators differ in whether they look at the format, so it is looked at here.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = bytes.get(range)?;
        digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let is = |at: usize, accepted: &[u8]| bytes.get(at).is_some_and(|b| accepted.contains(b));
    let parsed = || -> Option<bool> {
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let separators = is(4, b"-") && is(7, b"-") && is(10, b"Tt") && is(13, b":") && is(16, b":");
        let days = match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut at = 19;
        if is(at, b".") {
            let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            at += 1 + digits;
        }
        let zone = match bytes.get(at)? {
            b'Z' | b'z' => bytes.len() == at + 1,
            b'+' | b'-' => {
                bytes.len() == at + 6
                    && is(at + 3, b":")
                    && number(at + 1..at + 3)? < 24
                    && number(at + 4..at + 6)? < 60
            }
            _ => false,
        };
        // No leap seconds: validators accept them only at the end of a day in UTC, and no clock here gives them.
        let in_range = (1..=12).contains(&month) && (1..=days).contains(&day) && hour < 24 && minute < 60;
        Some(separators && in_range && second < 60 && zone)
    };
    parsed().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_accepts_what_is_accepted() {
        let schema = serde_json::json!({ "$schema": "http://json-schema.org/draft-07/schema#", "format": "date-time" });
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let times = [
            ("2026-01-14T09:00:00Z", true),
            ("2026-01-14T09:00:00.123456Z", true),
            ("2026-01-14t09:00:00+05:30", true),
            ("2024-02-29T00:00:00-00:00", true),
            ("2000-02-29T23:59:59.1z", true),
            ("2026-02-29T00:00:00Z", false),
            ("1900-02-29T00:00:00Z", false),
            ("2026-04-31T00:00:00Z", false),
            ("2026-00-14T09:00:00Z", false),
            ("2026-13-14T09:00:00Z", false),
            ("2026-01-14T24:00:00Z", false),
            ("2026-01-14T09:60:00Z", false),
            ("2026-01-14T09:00:00", false),
            ("2026-01-14T09:00:00.Z", false),
            ("2026-01-14T09:00:00Zx", false),
            ("2026-01-14T09:00:00+5:30", false),
            ("2026-01-14T09:00:00+24:00", false),
            ("2026-01-14", false),
            ("now", false),
            ("", false),
            ("2026-01-1\u{e9}T09:00:00Z", false),
        ];
        for (text, valid) in times {
            assert_eq!(is_rfc3339(text), valid, "{text}");
            assert_eq!(
                validator.is_valid(&serde_json::json!(text)),
                valid,
                "the validator disagrees on {text}"
            );
        }
    }
}
