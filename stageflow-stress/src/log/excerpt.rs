//! The lines of a log that a finding quotes.

use super::format::{Level, parse};

/// How much of a line is quoted.
const WIDTH: usize = 400;

/// At most `n` lines around the last error of a log, or its last lines where it has none. Lines are numbered, and the
/// line of the error is marked.
pub fn excerpt(text: &str, n: usize) -> String {
    let log = parse(text);
    let error = log
        .records
        .iter()
        .rposition(|record| {
            matches!(record.level, Some(Level::Error | Level::Critical))
                || (record.level.is_none()
                    && record.message.starts_with("Traceback (most recent call last):"))
        })
        .map(|index| log.at_line[index] as usize);
    let lines: Vec<&str> = text.lines().collect();
    let head = log.at_line.first().map_or(lines.len().min(log.header.0.len()), |line| *line as usize - 1);
    let Some(last) = lines.len().checked_sub(1).filter(|_| n > 0) else {
        return String::new();
    };
    // Two thirds before the error: what led to it matters more than what came of it.
    let end = error.map_or(last + 1, |line| (line + n / 3).min(last + 1));
    // Where the error is near the top, the lines that are left over follow it.
    let start = end.saturating_sub(n).max(head.min(last + 1));
    let end = (start + n).min(if error.is_some() { last + 1 } else { end });
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate().take(end).skip(start) {
        out.push_str(if error == Some(number + 1) { "> " } else { "  " });
        out.push_str(&(number + 1).to_string());
        out.push_str(": ");
        out.extend(line.chars().take(WIDTH));
        if line.chars().nth(WIDTH).is_some() {
            out.push('…');
        }
        out.push('\n');
    }
    out
}
