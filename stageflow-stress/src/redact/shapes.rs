//! Shapes of secrets and of personal data.

use std::ops::Range;

use super::marker::marker_of;
use super::numbers::{card, phone};

/// The kinds that are looked for without being asked.
pub const KINDS: &[&str] = &[
    "stripe_key",
    "openai_key",
    "anthropic_key",
    "aws_key",
    "github_token",
    "gitlab_token",
    "groq_key",
    "slack_token",
    "google_key",
    "npm_token",
    "huggingface_token",
    "sendgrid_key",
    "private_key",
    "jwt",
    "bearer",
    "password",
    "card",
    "email",
    "phone",
    "entropy",
    "field",
];

/// A part of a text that is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it is.
    pub kind: &'a str,
}

impl Span<'_> {
    /// Its range.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// What a key begins with, its kind, how many characters follow at least, and whether one of them must be a digit, because
/// the beginning is one of words too.
const PREFIXES: &[(&str, &str, usize, bool)] = &[
    ("sk_live_", "stripe_key", 8, false),
    ("sk_test_", "stripe_key", 8, false),
    ("rk_live_", "stripe_key", 8, false),
    ("rk_test_", "stripe_key", 8, false),
    ("whsec_", "stripe_key", 16, true),
    ("sk-ant-", "anthropic_key", 16, true),
    ("sk-", "openai_key", 16, true),
    ("AKIA", "aws_key", 16, false),
    ("ASIA", "aws_key", 16, false),
    ("ghp_", "github_token", 16, false),
    ("gho_", "github_token", 16, false),
    ("ghu_", "github_token", 16, false),
    ("ghs_", "github_token", 16, false),
    ("ghr_", "github_token", 16, false),
    ("github_pat_", "github_token", 16, false),
    ("glpat-", "gitlab_token", 16, false),
    ("gsk_", "groq_key", 16, true),
    ("xoxb-", "slack_token", 10, false),
    ("xoxp-", "slack_token", 10, false),
    ("xoxa-", "slack_token", 10, false),
    ("xoxr-", "slack_token", 10, false),
    ("xoxs-", "slack_token", 10, false),
    ("xoxe-", "slack_token", 10, false),
    ("xapp-", "slack_token", 10, false),
    ("AIza", "google_key", 30, false),
    ("ya29.", "google_key", 16, false),
    ("npm_", "npm_token", 30, false),
    ("hf_", "huggingface_token", 24, false),
    ("SG.", "sendgrid_key", 20, true),
];

/// Shortest run of characters that a key may have.
const RUN: u32 = 16;
/// Digits that a phone number or card may have, at least.
const DIGITS: u32 = 8;

const TOKEN: u8 = 1;
const DIGIT: u8 = 2;
const BETWEEN_DIGITS: u8 = 4;
const AT: u8 = 8;
const ASSIGN: u8 = 16;

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        if c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'+' | b'/' | b'.') {
            table[byte] |= TOKEN;
        }
        if c.is_ascii_digit() {
            table[byte] |= DIGIT;
        }
        if matches!(c, b' ' | b'-' | b'.' | b'(' | b')' | b'+') {
            table[byte] |= BETWEEN_DIGITS;
        }
        if c == b'@' {
            table[byte] |= AT;
        }
        if c == b'=' || c == b':' {
            table[byte] |= ASSIGN;
        }
        byte += 1;
    }
    table
};

/// Whether a text needs to be looked at: it holds a long run, many digits, an at sign, a name such as `password=`.
pub fn suspicious(bytes: &[u8]) -> bool {
    let (mut run, mut digits) = (0_u32, 0_u32);
    for (at, byte) in bytes.iter().enumerate() {
        let class = CLASS[usize::from(*byte)];
        run = if class & TOKEN != 0 { run + 1 } else { 0 };
        if class & DIGIT != 0 {
            digits += 1;
        } else if class & BETWEEN_DIGITS == 0 {
            digits = 0;
        }
        if run >= RUN || digits >= DIGITS || class & AT != 0 {
            return true;
        }
        if class & ASSIGN != 0 && name_before(bytes, at).is_some() {
            return true;
        }
        if *byte | 0x20 == b'r' && at >= 5 && bytes[at - 5..at].eq_ignore_ascii_case(b"beare") {
            return true;
        }
        if *byte == b'N' && bytes[..at].ends_with(b"-----BEGI") {
            return true;
        }
    }
    false
}

/// Finds what is to be replaced, and the markers that stand where something was.
pub fn find(text: &str, spans: &mut Vec<Span<'_>>, markers: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    // What lies before was taken.
    let mut floor = 0;
    while at < bytes.len() {
        if bytes[at] == b'{'
            && let Some(marker) = text.get(at..).and_then(marker_of)
        {
            markers.push((at, at + marker.len()));
            at += marker.len();
            floor = at;
            continue;
        }
        if let Some(span) = shape_at(text, at, floor) {
            at = span.end.max(at + 1);
            floor = at;
            spans.push(span);
            continue;
        }
        at += 1;
    }
}

fn shape_at(text: &str, at: usize, floor: usize) -> Option<Span<'static>> {
    let bytes = text.as_bytes();
    let byte = bytes[at];
    let starts = at == floor || !is_word(bytes[at - 1]);
    match byte {
        b'-' => private_key(text, at),
        b'@' => address(bytes, at, floor),
        b'=' | b':' => assignment(bytes, at),
        b'+' | b'(' => phone(bytes, at).filter(|_| starts).or_else(|| entropy(bytes, at, floor)),
        b'0'..=b'9' if starts => card(bytes, at)
            .filter(|_| at == floor || !matches!(bytes[at - 1], b'.' | b'-'))
            .or_else(|| phone(bytes, at).filter(|_| at == floor || !matches!(bytes[at - 1], b'.' | b'-')))
            .or_else(|| entropy(bytes, at, floor)),
        b'a'..=b'z' | b'A'..=b'Z' if starts => key(bytes, at)
            .or_else(|| jwt(bytes, at))
            .or_else(|| bearer(bytes, at))
            .or_else(|| entropy(bytes, at, floor)),
        b'/' | b'_' => entropy(bytes, at, floor),
        _ => None,
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The end of the run of bytes for which `belongs` holds.
pub(super) fn run(bytes: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|byte| !belongs(*byte)).map_or(bytes.len(), |length| at + length)
}

fn private_key(text: &str, at: usize) -> Option<Span<'static>> {
    let rest = text.get(at..)?.strip_prefix("-----BEGIN ")?;
    let title = &rest[..rest.find("-----")?];
    if !title.contains("PRIVATE KEY") {
        return None;
    }
    let end = match rest.find("-----END ") {
        Some(end) => {
            let tail = &rest[end + "-----END ".len()..];
            let close = tail.find("-----").map_or(tail.len(), |close| close + 5);
            text.len() - tail.len() + close
        }
        // The rest of the block is somewhere else; what is here is all of it that can be had.
        None => text.len(),
    };
    Some(Span { start: at, end, kind: "private_key" })
}

fn key(bytes: &[u8], at: usize) -> Option<Span<'static>> {
    let (prefix, kind, least, digit) =
        PREFIXES.iter().find(|(prefix, ..)| bytes[at..].starts_with(prefix.as_bytes()))?;
    let body = at + prefix.len();
    let end = match *kind {
        "aws_key" => run(bytes, body, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
        "sendgrid_key" => run(bytes, body, |byte| is_word(byte) || matches!(byte, b'-' | b'.')),
        _ => run(bytes, body, |byte| is_word(byte) || byte == b'-'),
    };
    let enough = end - body >= *least && (!digit || bytes[body..end].iter().any(u8::is_ascii_digit));
    enough.then_some(Span { start: at, end, kind })
}

fn jwt(bytes: &[u8], at: usize) -> Option<Span<'static>> {
    if !bytes[at..].starts_with(b"eyJ") {
        return None;
    }
    let part = |from| run(bytes, from, |byte| is_word(byte) || matches!(byte, b'-' | b'='));
    let first = part(at);
    let second = (bytes.get(first) == Some(&b'.')).then(|| part(first + 1))?;
    // Without a signature it still holds claims.
    let end = if bytes.get(second) == Some(&b'.') { part(second + 1) } else { second };
    (first - at >= 10 && second - first > 5).then_some(Span { start: at, end, kind: "jwt" })
}

fn bearer(bytes: &[u8], at: usize) -> Option<Span<'static>> {
    let word = bytes.get(at..at + 6)?;
    if !word.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    let start = run(bytes, at + 6, |byte| matches!(byte, b' ' | b':' | b'=' | b'"' | b'\''));
    let end =
        run(bytes, start, |byte| is_word(byte) || matches!(byte, b'-' | b'.' | b'~' | b'+' | b'/' | b'='));
    let token = &bytes[start..end];
    let digit = token.iter().any(u8::is_ascii_digit);
    let secret = start > at + 6 && ((token.len() >= 8 && digit) || token.len() >= 20);
    secret.then_some(Span { start, end, kind: "bearer" })
}

/// Names whose value is secret.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "client_secret",
    "secret_key",
    "secretkey",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "access_key",
    "private_key",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "auth_token",
    "session_token",
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "credential",
    "credentials",
];

/// Whether a field of this name is secret: the whole name, or what follows its last dot.
pub fn is_secret_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    SECRET_NAMES.iter().any(|secret| last.eq_ignore_ascii_case(secret))
}

/// Whether a value tells nothing even under a secret name.
pub fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    let wrapped = value.strip_prefix("Some(").and_then(|value| value.strip_suffix(')')).unwrap_or(value);
    value.is_empty()
        || wrapped.parse::<f64>().is_ok_and(|_| wrapped.len() < 6)
        || ["none", "null", "nil", "true", "false", "unset", "missing", "***", "[redacted]", "<redacted>"]
            .iter()
            .any(|word| wrapped.trim_matches('"').eq_ignore_ascii_case(word))
}

/// The secret name that ends just before an `=` or `:`, possibly in quotes.
fn name_before(bytes: &[u8], at: usize) -> Option<&str> {
    let mut end = at;
    if end > 0 && matches!(bytes[end - 1], b'"' | b'\'') {
        end -= 1;
    }
    // Most names are told apart by their last letter.
    if end < 3 || !matches!(bytes[end - 1] | 0x20, b'd' | b'e' | b't' | b'y' | b'n' | b's' | b'l') {
        return None;
    }
    let start = bytes[..end]
        .iter()
        .rposition(|byte| !(is_word(*byte) || *byte == b'-'))
        .map_or(0, |before| before + 1);
    let name = std::str::from_utf8(&bytes[start..end]).ok()?;
    is_secret_name(name).then_some(name)
}

fn assignment(bytes: &[u8], at: usize) -> Option<Span<'static>> {
    let name = name_before(bytes, at)?;
    let header = name.eq_ignore_ascii_case("authorization") || name.to_ascii_lowercase().ends_with("cookie");
    let mut start = run(bytes, at + 1, |byte| matches!(byte, b' ' | b'\t'));
    let quote = bytes.get(start).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let end = match quote {
        Some(quote) => {
            start += 1;
            let mut escaped = false;
            let end = bytes[start..].iter().position(|byte| {
                let ends = *byte == quote && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            });
            end.map_or(bytes.len(), |length| start + length)
        }
        // The value of a header has several words.
        None if header => run(bytes, start, |byte| !matches!(byte, b'\n' | b'\r' | b'"' | b',' | b'}')),
        None => run(bytes, start, |byte| {
            !(byte.is_ascii_whitespace()
                || matches!(byte, b'"' | b'\'' | b',' | b';' | b'&' | b')' | b'}' | b']' | b'|'))
        }),
    };
    let value = std::str::from_utf8(&bytes[start..end]).ok()?;
    // `token: expected` is a sentence, `token=…` is not; and what is a marker already stays.
    let prose =
        bytes[at] == b':' && quote.is_none() && !header && !value.bytes().any(|byte| byte.is_ascii_digit());
    let secret = value.len() >= 4
        && !prose
        && !is_harmless(value)
        && !value.starts_with("{{")
        && !value.contains("{{REDACTED:")
        && !value.starts_with(':');
    secret.then_some(Span { start, end, kind: "password" })
}

/// A mail address, or the password in an address such as `postgres://user:password@host`.
fn address(bytes: &[u8], at: usize, floor: usize) -> Option<Span<'static>> {
    let before = bytes[floor..at]
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b','))
        .map_or(floor, |before| floor + before + 1);
    if let Some(scheme) = bytes[before..at].windows(3).position(|three| three == b"://") {
        let user = before + scheme + 3;
        let colon = bytes[user..at].iter().position(|byte| *byte == b':')?;
        let start = user + colon + 1;
        return (start < at).then_some(Span { start, end: at, kind: "password" });
    }
    let local = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'%' | b'+' | b'-');
    let start =
        bytes[floor..at].iter().rposition(|byte| !local(*byte)).map_or(floor, |before| floor + before + 1);
    let mut end = run(bytes, at + 1, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let domain = &bytes[at + 1..end];
    let dot = domain.iter().rposition(|byte| *byte == b'.')?;
    let top = &domain[dot + 1..];
    let mail = start < at && dot > 0 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    mail.then_some(Span { start, end, kind: "email" })
}

/// A long run that looks drawn at random. Hexadecimal digests, identifiers and paths are none.
fn entropy(bytes: &[u8], at: usize, floor: usize) -> Option<Span<'static>> {
    const LEAST: usize = 40;
    const BITS: f64 = 4.5;
    let belongs = |byte: u8| is_word(byte) || matches!(byte, b'+' | b'/' | b'-');
    if at > floor && belongs(bytes[at - 1]) {
        return None;
    }
    let end = run(bytes, at, belongs);
    let token = &bytes[at..end];
    if token.len() < LEAST {
        return None;
    }
    let has = |class: fn(&u8) -> bool| token.iter().any(class);
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    let longest = token.split(|byte| *byte == b'/').map(<[u8]>::len).max().unwrap_or(0);
    let path = token.iter().filter(|byte| **byte == b'/').count() >= 2 && longest < 20;
    let end = run(bytes, end, |byte| byte == b'=');
    (mixed && !path && bits(token) >= BITS).then_some(Span { start: at, end, kind: "entropy" })
}

/// Shannon's entropy of the bytes of a text, in bits a byte.
fn bits(token: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    token.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = token.len() as f64;
    counts.iter().filter(|count| **count > 0).fold(0.0, |bits, count| {
        let share = f64::from(*count) / total;
        bits - share * share.log2()
    })
}
