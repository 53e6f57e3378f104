//! Redaction: what is secret or personal by its shape or its name is replaced before it reaches a file.
//!
//! A replaced text reads `{{REDACTED:kind:hash}}`. The hash is keyed, with a key that lies outside of every run folder: the
//! same secret has the same hash in all runs of a machine, and the hash does not tell which it is.
//!
//! Most texts hold nothing of the kind. [`text`] finds that out in one pass over the bytes, without copying them.

mod marker;
mod numbers;
mod rules;
mod shapes;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use marker::marker_of;
pub use rules::{Rules, Table};

use self::shapes::Span;

/// What the name of a field says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// Nothing.
    Plain,
    /// It is secret whatever it looks like.
    Secret,
    /// The project says that it is none.
    Allowed,
}

static RULES: OnceLock<Rules> = OnceLock::new();

/// Sets the project's own rules, once per process.
pub fn configure(rules: Rules) {
    let _ = RULES.set(rules);
}

fn own_rules() -> &'static Rules {
    static NONE: OnceLock<Rules> = OnceLock::new();
    RULES.get().unwrap_or_else(|| NONE.get_or_init(Rules::default))
}

/// What the name of a field says about its value.
pub fn name_rule(name: &str) -> NameRule {
    let rules = own_rules();
    if rules.allow_fields.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
        NameRule::Allowed
    } else if shapes::is_secret_name(name)
        || rules.fields.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    {
        NameRule::Secret
    } else {
        NameRule::Plain
    }
}

/// The value of a field, redacted. `None` if it stays as it is.
pub fn value(rule: NameRule, value: &str) -> Option<String> {
    match rule {
        NameRule::Allowed => None,
        NameRule::Plain => text(value),
        NameRule::Secret => {
            let bare = value.trim_matches('"');
            // A number or a word such as `none` tells that something is absent or how often it was used.
            if shapes::is_harmless(bare) || marker_of(bare).is_some_and(|marker| marker.len() == bare.len()) {
                return text(value);
            }
            Some(marker::marker("field", bare))
        }
    }
}

/// A text, redacted. `None` if it stays as it is.
pub fn text(text: &str) -> Option<String> {
    let rules = own_rules();
    if !shapes::suspicious(text.as_bytes()) && rules.patterns.is_empty() {
        return None;
    }
    let mut result = once(text, rules)?;
    // What is left of a text may have a shape that the whole did not have.
    for _ in 0..8 {
        let Some(next) = once(&result, rules) else { break };
        result = next;
    }
    Some(result)
}

fn once(text: &str, rules: &Rules) -> Option<String> {
    let mut spans = Vec::new();
    let mut markers = Vec::new();
    shapes::find(text, &mut spans, &mut markers);
    spans
        .retain(|span| !rules.off.iter().any(|kind| kind == span.kind) && !rules.allows(&text[span.range()]));
    for (kind, pattern) in &rules.patterns {
        let own = pattern.find_iter(text).filter(|found| !found.is_empty() && !rules.allows(found.as_str()));
        spans.extend(own.map(|found| Span { start: found.start(), end: found.end(), kind }));
    }
    spans.retain(|span| !markers.iter().any(|(start, end)| span.start < *end && *start < span.end));
    if spans.is_empty() {
        return None;
    }
    // Of two that overlap, the one that begins first, and of those the longer one.
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        if span.start >= at {
            out.push_str(&text[at..span.start]);
            out.push_str(&marker::marker(span.kind, &text[span.range()]));
            at = span.end;
        }
    }
    out.push_str(&text[at..]);
    Some(out)
}

/// A text that is to be written to a file.
pub fn cow(content: &str) -> Cow<'_, str> {
    text(content).map_or(Cow::Borrowed(content), Cow::Owned)
}

/// The content of a file: redacted where it is text.
pub fn content(content: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(content).ok().and_then(text) {
        Some(clean) => Cow::Owned(clean.into_bytes()),
        None => Cow::Borrowed(content),
    }
}

/// JSON with its texts redacted; names of members and everything that is no text stay. `None` if nothing changes.
pub fn json(json: &str) -> Option<String> {
    if !shapes::suspicious(json.as_bytes()) && own_rules().patterns.is_empty() {
        return None;
    }
    let mut out: Option<String> = None;
    // The end of what was copied, and the name of the member that is being read.
    let (mut copied, mut at) = (0, 0);
    let mut name = NameRule::Plain;
    let bytes = json.as_bytes();
    while let Some(start) = bytes[at..].iter().position(|byte| *byte == b'"').map(|offset| at + offset) {
        let mut end = start + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        end = (end + 1).min(bytes.len());
        at = end;
        let Some(Ok(string)) = json.get(start..end).map(serde_json::from_str::<String>) else { continue };
        if bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
            name = name_rule(&string);
            continue;
        }
        let clean = value(std::mem::replace(&mut name, NameRule::Plain), &string);
        if let Some(Ok(clean)) = clean.map(|clean| serde_json::to_string(&clean)) {
            let out = out.get_or_insert_with(String::new);
            out.push_str(&json[copied..start]);
            out.push_str(&clean);
            copied = end;
        }
    }
    out.map(|mut out| {
        out.push_str(&json[copied..]);
        out
    })
}

/// A value with the texts in it redacted.
pub fn serializable<T: Serialize + DeserializeOwned>(value: T) -> T {
    let clean = serde_json::to_string(&value).ok().and_then(|text| json(&text));
    clean.and_then(|clean| serde_json::from_str(&clean).ok()).unwrap_or(value)
}

/// Uses the key that lies below this directory, and makes it if there is none.
pub fn use_key_below(directory: &Path) -> io::Result<()> {
    let path = directory.join("redaction.key");
    let read = || std::fs::read(&path).ok().filter(|key| key.len() >= 16);
    if let Some(key) = read() {
        marker::use_key(&key);
        return Ok(());
    }
    let key = marker::new_key();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path).and_then(|mut file| file.write_all(&key)) {
        Ok(()) => marker::use_key(&key),
        // Another process was faster; what it has not finished writing yet is not waited for.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            marker::use_key(&read().unwrap_or(key.to_vec()))
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Uses this key.
pub fn use_key(key: &str) {
    marker::use_key(key.as_bytes());
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
