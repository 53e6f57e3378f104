//! Times as text.

/// Whether a text is a time of RFC 3339. Validators differ in whether they look at the format, so it is looked at here.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    nanos(text).is_some()
}

/// A time of RFC 3339 as nanoseconds since 1970, so that times of different zones and precisions can be compared.
pub(crate) fn nanos(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = bytes.get(range)?;
        digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let is = |at: usize, accepted: &[u8]| bytes.get(at).is_some_and(|b| accepted.contains(b));
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
    let mut fraction = 0;
    if is(at, b".") {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for position in 0..9 {
            let digit = if position < digits { bytes[at + 1 + position] - b'0' } else { 0 };
            fraction = fraction * 10 + i128::from(digit);
        }
        at += 1 + digits;
    }
    let offset = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && is(at + 3, b":") => {
            let (hours, minutes) = (number(at + 1..at + 3)?, number(at + 4..at + 6)?);
            if hours >= 24 || minutes >= 60 {
                return None;
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    // No leap seconds: validators accept them only at the end of a day in UTC, and no clock here gives them.
    let in_range = (1..=12).contains(&month) && (1..=days).contains(&day) && hour < 24 && minute < 60;
    if !(separators && in_range && second < 60) {
        return None;
    }
    let seconds = days_since_1970(i64::from(year), i64::from(month), i64::from(day)) * 86_400
        + i64::from(hour * 3600 + minute * 60 + second)
        - offset;
    Some(i128::from(seconds) * 1_000_000_000 + fraction)
}

/// Days of the Gregorian calendar, counted in years that begin in March, so that a leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_different_spelling_compare() {
        assert_eq!(nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(nanos("1969-12-31T23:59:59.5Z"), Some(-500_000_000));
        assert_eq!(nanos("2026-01-14T09:00:00.000001Z"), nanos("2026-01-14T10:30:00.000001+01:30"));
        let by_the_library = humantime::parse_rfc3339("2026-03-01T12:34:56.123456789Z").unwrap();
        let since = by_the_library.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(nanos("2026-03-01T12:34:56.123456789Z"), Some(i128::try_from(since).unwrap()));
        for (day, next) in
            [("2024-02-28", "2024-02-29"), ("2023-02-28", "2023-03-01"), ("1999-12-31", "2000-01-01")]
        {
            let at = |day: &str| nanos(&format!("{day}T00:00:00Z")).unwrap();
            assert_eq!(at(next) - at(day), 86_400_000_000_000, "{day}");
        }
    }

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
