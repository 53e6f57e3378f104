//! The part of a text line before its message: time, level, thread, target, in the orders that loggers print them.
//!
//! One grammar reads them all, because they differ in little: words that say what they are, in any order, until one does
//! not. A line without a time or an unmistakable level is no record.

use super::super::event::{Format, NO_TIME};
use super::super::format::Level;
use super::time::time;

/// What stands before a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head<'a> {
    pub format: Format,
    pub micros: i64,
    pub level: Option<Level>,
    pub thread: &'a str,
    pub span: &'a str,
    pub target: &'a str,
    pub message: &'a str,
}

/// Reads the head of a line.
pub(super) fn head(line: &str) -> Option<Head<'_>> {
    let b = line.as_bytes();
    match *b.first()? {
        b'0'..=b'9' | b'A'..=b'Z' | b'[' | b'<' | b'-' => {}
        b'a'..=b'z' => {
            return if looks_loose(b) {
                leading_level(line).or_else(|| loose(line))
            } else {
                leading_level(line)
            };
        }
        // Indented lines continue a record, but for the pretty format, which indents its heads by two.
        b' ' if b.get(2).is_some_and(u8::is_ascii_digit) => {
            return head(&line[2..]).filter(|head| head.level.is_some());
        }
        _ => return None,
    }
    let strict = strict(line);
    if let Some(head) = strict
        && head.level.is_none()
        && head.target.is_empty()
        && head.message.as_bytes().first().is_some_and(u8::is_ascii_digit)
    {
        // What looks like a message may still be head, as where machines print several times.
        return loose(line).or(strict);
    }
    strict.or_else(|| leading_level(line)).or_else(|| if looks_loose(b) { loose(line) } else { None })
}

/// Digits within the first words: there may be a time behind a word that is none.
fn looks_loose(b: &[u8]) -> bool {
    b[..b.len().min(48)].iter().filter(|c| c.is_ascii_digit()).count() >= 6
}

fn strict(line: &str) -> Option<Head<'_>> {
    let b = line.as_bytes();
    let mut head = Head {
        format: Format::Text,
        micros: NO_TIME,
        level: None,
        thread: "",
        span: "",
        target: "",
        message: "",
    };
    let mut at = 0;
    let mut bracketed = false;
    let mut syslog = false;
    let mut numbers = 0;
    let mut dashes = 0;
    if b[0] == b'<'
        && let Some(end) = b.iter().take(6).position(|c| *c == b'>')
        && end > 1
        && b[1..end].iter().all(u8::is_ascii_digit)
    {
        at = end + 1;
        syslog = true;
        if b.get(at) == Some(&b'1') && b.get(at + 1) == Some(&b' ') {
            at += 2;
        }
    }
    let glog = matches!(b[0], b'I' | b'W' | b'E' | b'F')
        && b.len() > 6
        && b[1..5].iter().all(u8::is_ascii_digit)
        && b[5] == b' ';
    if glog {
        head.level = letter(b[0]);
        let (micros, n) = time(&b[6..])?;
        head.micros = micros;
        at = 6 + n;
    }
    loop {
        while let Some(c) = b.get(at) {
            match c {
                b' ' | b'\t' => at += 1,
                b'|' => at += 1,
                b'-' if b.get(at + 1) == Some(&b' ') => {
                    at += 1;
                    dashes += 1;
                }
                b':' if head.level.is_some() && b.get(at + 1) == Some(&b' ') => at += 1,
                b']' if bracketed => {
                    bracketed = false;
                    at += 1;
                }
                _ => break,
            }
        }
        let Some(&c) = b.get(at) else { break };
        if head.micros == NO_TIME {
            let open = usize::from(matches!(c, b'[' | b'('));
            if let Some((micros, n)) = time(&b[at + open..]) {
                head.micros = micros;
                at += open + n;
                if open == 1 {
                    if b.get(at) == Some(&b']') || b.get(at) == Some(&b')') {
                        at += 1;
                    } else {
                        bracketed = true;
                        head.format = Format::EnvLogger;
                    }
                }
                continue;
            }
        }
        if matches!(c, b'[' | b'(') {
            let close = if c == b'[' { b']' } else { b')' };
            let Some(end) = b[at..].iter().take(120).position(|c| *c == close).map(|n| at + n) else { break };
            let inner = &line[at + 1..end];
            if head.level.is_none()
                && let Some(level) = any_level(inner.trim())
            {
                head.level = Some(level);
            } else if head.micros != NO_TIME && head.thread.is_empty() && (c == b'[') {
                head.thread = inner;
            } else {
                break;
            }
            at = end + 1;
            // `[instance: 17] …` within a message is not a head: only one bracket after the level is.
            continue;
        }
        let end = b[at..].iter().position(|c| matches!(c, b' ' | b'\t' | b'|')).map_or(b.len(), |n| at + n);
        let word = &line[at..end];
        if head.level.is_none() {
            let bare = word.trim_end_matches([':', ']']);
            if let Some(level) = upper_level(bare).or_else(|| {
                // Letters stand for levels only where Android prints them: after two numbers.
                (numbers == 2 && word.len() == 1).then(|| letter(word.as_bytes()[0]))?
            }) {
                // Without a time, a level counts only with a colon: `INFO this` may be a sentence.
                if head.micros == NO_TIME && !word.ends_with(':') {
                    return None;
                }
                if numbers == 2 && word.len() == 1 {
                    head.format = Format::Logcat;
                }
                head.level = Some(level);
                at += bare.len();
                if b.get(at) == Some(&b':') {
                    at += 1;
                }
                continue;
            }
        }
        if head.micros == NO_TIME {
            return None;
        }
        if numbers < 3
            && word.bytes().all(|c| c.is_ascii_digit())
            && (head.level.is_none() || head.target.is_empty() && b.get(end) == Some(&b'|'))
        {
            numbers += 1;
            at = end;
            continue;
        }
        // `time - logger - LEVEL - message`: a name between dashes before the level.
        if dashes > 0
            && head.level.is_none()
            && head.target.is_empty()
            && line[end..].starts_with(" - ")
            && is_target(word)
        {
            head.target = word;
            head.format = Format::Python;
            at = end;
            continue;
        }
        // `time|component|pid|message`.
        if b.get(end) == Some(&b'|') && head.target.is_empty() && is_target(word) {
            head.target = word;
            at = end;
            continue;
        }
        break;
    }
    if head.micros == NO_TIME {
        return None;
    }
    let mut rest = &line[at.min(line.len())..];
    // Syslog: a host, then `program[pid]:`.
    if head.level.is_none() && head.target.is_empty() && (syslog || b[at - 1] == b' ') && numbers == 0 {
        let mut words = rest.splitn(3, ' ');
        if let (Some(host), Some(program)) = (words.next(), words.next())
            && !host.ends_with(':')
            && is_target(host)
        {
            let name = program.strip_suffix(':').unwrap_or(program);
            let name = name.split('[').next().unwrap_or_default();
            if program.ends_with(':') && is_target(name) {
                head.format = Format::Syslog;
                (head.thread, head.target) = (host, name);
                rest = words.next().unwrap_or_default();
            } else if syslog && is_target(program) {
                // RFC 5424: host, program, process id, message id, structured data.
                head.format = Format::Syslog;
                (head.thread, head.target) = (host, program);
                rest = words.next().unwrap_or_default();
                for _ in 0..2 {
                    rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
                }
                rest = match rest.strip_prefix("- ") {
                    Some(rest) => rest,
                    None => rest.find("] ").map_or(rest, |end| &rest[end + 2..]),
                };
            }
        }
    }
    if head.target.is_empty() {
        if bracketed {
            if let Some((target, message)) =
                rest.split_once("] ").or_else(|| rest.strip_suffix(']').map(|t| (t, "")))
            {
                head.target = target.trim();
                rest = message;
            }
        } else if glog {
            if let Some((target, message)) = rest.split_once("] ") {
                head.target = target.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
                rest = message;
            }
        } else {
            (head.span, head.target, rest) = target(rest);
        }
    }
    if head.format == Format::Text {
        head.format =
            if head.level.is_some() && dashes == 0 && !line.starts_with('[') && b.get(10) == Some(&b'T') {
                Format::Tracing
            } else if head.level.is_some()
                && !glog
                && (line.contains("] ") || dashes > 0)
                && !head.target.is_empty()
            {
                Format::Python
            } else {
                Format::Text
            };
    }
    head.message = rest.trim_start();
    Some(head)
}

/// `span{a=1}:inner: target: message`, `target: message`, `target message` with a path of modules.
fn target(rest: &str) -> (&str, &str, &str) {
    let b = rest.as_bytes();
    let mut at = 0;
    let mut word = 0;
    let mut span = 0;
    loop {
        match b.get(at) {
            Some(b'{') if at > word => {
                // The fields of a span: to the brace that closes them.
                let mut depth = 0usize;
                let mut end = at;
                while let Some(c) = b.get(end) {
                    match c {
                        b'{' => depth += 1,
                        b'}' => depth -= 1,
                        _ => {}
                    }
                    end += 1;
                    if depth == 0 {
                        break;
                    }
                }
                if depth != 0 || b.get(end) != Some(&b':') {
                    return ("", "", rest);
                }
                span = end;
                at = end + 1;
                if b.get(at) == Some(&b' ') {
                    at += 1;
                }
                word = at;
            }
            Some(b':') if b.get(at + 1).is_none_or(|c| *c == b' ') && at > word => {
                // Of the bytes of targets it is, and not too long; but `12: text` names nothing.
                let name = &rest[word..at];
                if !name.bytes().any(|c| c.is_ascii_alphabetic()) {
                    return (&rest[..span], "", &rest[word..]);
                }
                return (&rest[..span], name, rest.get(at + 1..).unwrap_or_default().trim_start());
            }
            Some(b':') if b.get(at + 1) != Some(&b':') && span > 0 && at > word => {
                // Another span without fields.
                span = at;
                at += 1;
                word = at;
            }
            Some(c) if OF_TARGET[usize::from(*c)] => {
                at += 1;
                // Colons are looked at one by one.
                while b.get(at).is_some_and(|c| *c != b':' && OF_TARGET[usize::from(*c)]) {
                    at += 1;
                }
                if at - word > 120 {
                    return (&rest[..span], "", &rest[word..]);
                }
            }
            Some(b' ')
                if at > word + 3
                    && rest[word..at].contains('.')
                    && rest[word..at].bytes().all(|c| c.is_ascii_lowercase() || c == b'.' || c == b'_') =>
            {
                // A dotted logger name without a colon, as OpenStack prints.
                return (&rest[..span], &rest[word..at], &rest[at + 1..]);
            }
            _ => return (&rest[..span], "", &rest[word..]),
        }
    }
}

fn is_target(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 120
        && name.bytes().all(|c| OF_TARGET[usize::from(c)] || c == b'*')
        && name.bytes().any(|c| c.is_ascii_alphabetic())
}

/// Bytes of which targets are made.
static OF_TARGET: [bool; 256] = {
    let mut of_target = [false; 256];
    let mut at = 0;
    while at < 256 {
        let c = at as u8;
        of_target[at] = c.is_ascii_alphanumeric()
            || matches!(c, b'_' | b'.' | b'$' | b':' | b'/' | b'-' | b'@' | b'<' | b'>');
        at += 1;
    }
    of_target
};

/// `LEVEL:logger:message` and `LEVEL: message`.
fn leading_level(line: &str) -> Option<Head<'_>> {
    let (word, rest) = line.split_at(line.as_bytes().iter().take(10).position(|c| *c == b':')?);
    let level = any_level(word)?;
    let rest = &rest[1..];
    let (target, message) = match rest.split_once(':') {
        // Python prints no space between its parts.
        Some((target, message)) if !rest.starts_with(' ') && is_target(target) => (target, message),
        _ => ("", rest),
    };
    if !rest.starts_with([' ', '\t']) && target.is_empty() {
        return None;
    }
    Some(Head {
        format: if target.is_empty() { Format::Text } else { Format::Python },
        micros: NO_TIME,
        level: Some(level),
        thread: "",
        span: "",
        target,
        message: message.trim_start(),
    })
}

/// A time within the first words and a level within the first ten, with other words around them.
fn loose(line: &str) -> Option<Head<'_>> {
    let mut micros = NO_TIME;
    let mut at = 0;
    let mut best = None;
    for _ in 0..10 {
        let rest = &line[at..];
        let word = rest.split(' ').next()?;
        if let Some((found, n)) = time(rest.as_bytes()) {
            // The finest time wins: several may be printed.
            if micros == NO_TIME || found % 1_000_000 != 0 {
                micros = found;
            }
            at += n;
        } else if let Some(level) = upper_level(word.trim_matches(['[', ']', ':'])) {
            at += word.len();
            best = Some((level, at));
            break;
        } else {
            at += word.len();
        }
        at += line[at..].len() - line[at..].trim_start_matches(' ').len();
        if at >= line.len() {
            break;
        }
    }
    let (level, at) = best.filter(|_| micros != NO_TIME)?;
    let (span, target, message) = target(line[at..].trim_start_matches([':', ' ']));
    Some(Head { format: Format::Text, micros, level: Some(level), thread: "", span, target, message })
}

fn letter(letter: u8) -> Option<Level> {
    Some(match letter {
        b'V' => Level::Trace,
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warning,
        b'E' => Level::Error,
        b'F' | b'A' => Level::Critical,
        _ => return None,
    })
}

/// A level as loggers print it: in capitals.
fn upper_level(word: &str) -> Option<Level> {
    if word.len() > 9 || !word.as_bytes().first()?.is_ascii_uppercase() {
        return None;
    }
    Some(match word {
        "TRACE" | "VERBOSE" => Level::Trace,
        "DEBUG" => Level::Debug,
        "INFO" | "NOTICE" => Level::Info,
        "WARN" | "WARNING" => Level::Warning,
        "ERROR" | "SEVERE" | "ERR" => Level::Error,
        "CRITICAL" | "FATAL" | "ALERT" | "EMERG" | "FAILURE" | "PANIC" => Level::Critical,
        _ => return None,
    })
}

/// A level in any spelling, for places where nothing else can stand.
pub(super) fn any_level(word: &str) -> Option<Level> {
    if word.len() > 13 || word.is_empty() {
        return None;
    }
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(word));
    Some(if is(&["trace", "verbose", "finest", "trc"]) {
        Level::Trace
    } else if is(&["debug", "dbg", "fine"]) {
        Level::Debug
    } else if is(&["info", "notice", "information", "informational", "inf"]) {
        Level::Info
    } else if is(&["warn", "warning", "wrn"]) {
        Level::Warning
    } else if is(&["error", "err", "severe"]) {
        Level::Error
    } else if is(&["critical", "fatal", "crit", "alert", "emerg", "emergency", "panic"]) {
        Level::Critical
    } else {
        return None;
    })
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
