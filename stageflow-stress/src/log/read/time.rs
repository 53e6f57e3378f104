//! Times at the beginning of a line, in the shapes that loggers print.

/// A time and how many bytes it takes. Without a date, it is the time of day.
pub(super) fn time(b: &[u8]) -> Option<(i64, usize)> {
    let first = *b.first()?;
    if first.is_ascii_digit() {
        return iso(b)
            .or_else(|| of_day(b, 0))
            .or_else(|| month_day(b))
            .or_else(|| compact(b))
            .or_else(|| epoch(b));
    }
    if first.is_ascii_uppercase() { named(b) } else { None }
}

#[inline]
fn digits(b: &[u8], at: usize, n: usize) -> Option<i64> {
    let mut value = 0;
    for d in b.get(at..at + n)? {
        if !d.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(d - b'0');
    }
    Some(value)
}

/// Days since the epoch of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The year begins in March, so that the leap day is its last.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468)
}

const DAY: i64 = 86_400_000_000;

/// `hh:mm:ss`, a fraction, and a zone.
fn of_day(b: &[u8], at: usize) -> Option<(i64, usize)> {
    let (h, m, s) = (digits(b, at, 2)?, digits(b, at + 3, 2)?, digits(b, at + 6, 2)?);
    let colon = *b.get(at + 2)?;
    if !matches!(colon, b':' | b'.') || *b.get(at + 5)? != colon || h > 23 || m > 59 || s > 60 {
        return None;
    }
    let mut micros = ((h * 60 + m) * 60 + s) * 1_000_000;
    let mut end = at + 8;
    if matches!(b.get(end), Some(b'.' | b',' | b':')) && b.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1;
        let start = end;
        let mut unit = 100_000;
        let mut fraction = 0;
        while let Some(d) = b.get(end).filter(|d| d.is_ascii_digit()) {
            fraction += i64::from(d - b'0') * unit;
            unit /= 10;
            end += 1;
        }
        // Behind a colon stands a number of milliseconds and no fraction: `:7` is `.007`.
        if b[start - 1] == b':' && end - start < 3 {
            fraction /= if end - start == 1 { 100 } else { 10 };
        }
        micros += fraction;
    }
    if b.get(end) == Some(&b'Z') {
        end += 1;
    } else if let Some(sign @ (b'+' | b'-')) = b.get(end)
        && let Some(hours) = digits(b, end + 1, 2)
    {
        let colon = usize::from(b.get(end + 3) == Some(&b':'));
        if let Some(minutes) = digits(b, end + 3 + colon, 2) {
            let offset = (hours * 60 + minutes) * 60_000_000;
            micros += if *sign == b'+' { -offset } else { offset };
            end += 5 + colon;
        }
    }
    // Something must end it: `12:30:45x` is no time.
    (!b.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some((micros, end))
}

/// `0:9:6:42`, numbers as they come, the last one in milliseconds.
fn unpadded(b: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut end = at;
    let mut number = |most: usize, last: bool| {
        let n = b.get(end..)?.iter().take(most + 1).take_while(|c| c.is_ascii_digit()).count();
        let value = digits(b, end, n).filter(|_| (1..=most).contains(&n))?;
        end += n;
        if !last {
            (b.get(end) == Some(&b':')).then(|| end += 1)?;
        }
        Some(value)
    };
    let (h, m, s, ms) = (number(2, false)?, number(2, false)?, number(2, false)?, number(3, true)?);
    let legal = h < 24 && m < 60 && s < 61 && !b.get(end).is_some_and(u8::is_ascii_alphanumeric);
    legal.then_some((((h * 60 + m) * 60 + s) * 1_000_000 + ms * 1_000, end))
}

/// `2026-01-14T09:00:00.000123Z`, also with a space, and with `/` or `.` in the date.
fn iso(b: &[u8]) -> Option<(i64, usize)> {
    let date: &[u8; 11] = b.first_chunk()?;
    let separator = date[4];
    if !matches!(separator, b'-' | b'/' | b'.') || date[7] != separator {
        return None;
    }
    let days = days(digits(date, 0, 4)?, digits(date, 5, 2)?, digits(date, 8, 2)?)?;
    if !matches!(date[10], b'T' | b' ' | b'-' | b'_') {
        return None;
    }
    let (micros, end) = of_day(b, 11)?;
    Some((days * DAY + micros, end))
}

/// `03-17 16:13:38.811`, without a year.
fn month_day(b: &[u8]) -> Option<(i64, usize)> {
    if !matches!(b.get(2), Some(b'-' | b'/')) || b.get(5) != Some(&b' ') {
        return None;
    }
    let days = days(2000, digits(b, 0, 2)?, digits(b, 3, 2)?)?;
    let (micros, end) = of_day(b, 6)?;
    Some((days * DAY + micros, end))
}

/// `20171223-22:15:29:606` and `081109 203615`.
fn compact(b: &[u8]) -> Option<(i64, usize)> {
    if matches!(b.get(8), Some(b'-' | b' ' | b'T'))
        && let (Some(y), Some(m), Some(d)) = (digits(b, 0, 4), digits(b, 4, 2), digits(b, 6, 2))
    {
        let (micros, end) = of_day(b, 9).or_else(|| unpadded(b, 9))?;
        return Some((days(y, m, d)? * DAY + micros, end));
    }
    if b.get(6) != Some(&b' ') || b.get(13).is_some_and(|c| *c != b' ') {
        return None;
    }
    let days = days(2000 + digits(b, 0, 2)?, digits(b, 2, 2)?, digits(b, 4, 2)?)?;
    let (h, m, s) = (digits(b, 7, 2)?, digits(b, 9, 2)?, digits(b, 11, 2)?);
    (h < 24 && m < 60 && s < 61).then_some((days * DAY + ((h * 60 + m) * 60 + s) * 1_000_000, 13))
}

/// Seconds, milliseconds or nanoseconds since the epoch, of this century.
fn epoch(b: &[u8]) -> Option<(i64, usize)> {
    let n = b.iter().take_while(|c| c.is_ascii_digit()).count();
    let whole = || std::str::from_utf8(&b[..n]).ok()?.parse::<i64>().ok();
    let (micros, mut end) = match n {
        10 => (whole()?.checked_mul(1_000_000)?, n),
        13 => (whole()?.checked_mul(1_000)?, n),
        16 => (whole()?, n),
        19 => (whole()? / 1_000, n),
        _ => return None,
    };
    let mut micros = micros;
    if n == 10 && b.get(end) == Some(&b'.') {
        end += 1;
        let mut unit = 100_000;
        while let Some(d) = b.get(end).filter(|d| d.is_ascii_digit()) {
            micros += i64::from(d - b'0') * unit;
            unit /= 10;
            end += 1;
        }
    }
    matches!(b.get(end), None | Some(b' ' | b'\t' | b']' | b'|' | b',')).then_some((micros, end))
}

/// `Sun Dec 04 04:47:44 2005`, `Oct 11 22:14:15`.
fn named(b: &[u8]) -> Option<(i64, usize)> {
    let mut at = 0;
    let is = |at: usize, names: &[&[u8]]| names.iter().position(|name| b[at..].starts_with(name));
    if is(0, &[b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "]).is_some() {
        at = 4;
    }
    let month = is(
        at,
        &[
            b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ",
            b"Nov ", b"Dec ",
        ],
    )? as i64
        + 1;
    at += 4;
    while b.get(at) == Some(&b' ') {
        at += 1;
    }
    let n = b[at..].iter().take_while(|c| c.is_ascii_digit()).count();
    if !(1..=2).contains(&n) || b.get(at + n) != Some(&b' ') {
        return None;
    }
    let day = digits(b, at, n)?;
    let (micros, mut end) = of_day(b, at + n + 1)?;
    let mut year = 2000;
    if b.get(end) == Some(&b' ')
        && let Some(known) = digits(b, end + 1, 4)
        && !b.get(end + 5).is_some_and(u8::is_ascii_alphanumeric)
    {
        year = known;
        end += 5;
    }
    Some((days(year, month, day)? * DAY + micros, end))
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn every_shape_is_read_to_its_end() {
        let noon = 1_768_392_000_000_000; // 2026-01-14T12:00:00Z
        for (text, micros) in [
            ("2026-01-14T12:00:00Z", noon),
            ("2026-01-14T12:00:00.000123Z", noon + 123),
            ("2026-01-14 12:00:00,250", noon + 250_000),
            ("2026-01-14T13:30:00+01:30", noon),
            ("2026-01-14 11:00:00.5-0100", noon + 500_000),
            ("2026/01/14 12:00:00", noon),
            ("2026-01-14-12.00.00.000007", noon + 7),
            ("20260114-12:00:00:007", noon + 7_000),
            ("20260114-12:00:00:7", noon + 7_000),
            ("20260114-12:00:00:42", noon + 42_000),
            ("20260114-12:0:0:7", noon + 7_000),
            ("20260114-9:5:3:120", noon - 10_497_000_000 + 120_000),
            ("260114 120000", noon),
            ("1768392000", noon),
            ("1768392000.5", noon + 500_000),
            ("1768392000000", noon),
            ("Wed Jan 14 12:00:00 2026", noon),
            ("12:00:00", 43_200_000_000),
            ("12:00:00.25", 43_200_250_000),
        ] {
            assert_eq!(time(text.as_bytes()), Some((micros, text.len())), "{text}");
            let more = format!("{text} and more");
            assert_eq!(time(more.as_bytes()), Some((micros, text.len())), "{more}");
        }
        assert!(time(b"Oct  1 22:14:15 host").is_some() && time(b"03-17 16:13:38.811 1").is_some());
    }

    #[test]
    fn what_only_resembles_a_time_is_none() {
        for text in [
            "12:00",
            "25:00:00",
            "2026-13-01T00:00:00Z",
            "2026-01-14",
            "1234567",
            "May be",
            "12:30:45x",
            "",
            "10.251.73.220",
            "20260114-12:0:0",
            "20260114-25:0:0:1",
            "20260114-12:0:0:1234",
        ] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }
}
