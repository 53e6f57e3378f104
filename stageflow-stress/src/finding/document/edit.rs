//! Changing fields of one finding of a document that somebody else wrote, with every other byte as it was.

use std::ops::Range;

use serde_json::Value;
use serde_json::value::RawValue;

use super::read::DocumentError;
use super::{RawSlices, escaped, same_length};

/// The document with fields of a finding changed. `None` takes a field out.
///
/// # Errors
/// What is no findings document, or has no finding at this position.
pub fn with_fields(
    bytes: &[u8],
    position: usize,
    changes: &[(&str, Option<Value>)],
) -> Result<Vec<u8>, DocumentError> {
    let mut bytes = bytes.to_vec();
    for (name, value) in changes {
        let places = Places::of(&bytes, position, name)?;
        match (value, places.value) {
            (Some(value), Some(at)) => {
                let text = places.style.text(value, &bytes);
                bytes.splice(at, text.into_bytes());
            }
            (Some(value), None) => {
                let comma = if places.is_empty { "" } else { "," };
                let text = format!(
                    "{comma}{}{}: {}",
                    places.style.before,
                    Value::from(*name),
                    places.style.text(value, &bytes)
                );
                bytes.splice(places.end..places.end, text.into_bytes());
            }
            (None, Some(value)) => {
                let range = whole_field(&bytes, &value, &places.object);
                bytes.drain(range);
            }
            (None, None) => {}
        }
    }
    Ok(bytes)
}

/// Where things of one finding are.
struct Places {
    /// The object, with its braces.
    object: Range<usize>,
    /// Behind its last field.
    end: usize,
    is_empty: bool,
    /// The value of the field.
    value: Option<Range<usize>>,
    style: Style,
}

/// How the object is laid out.
struct Style {
    /// What stands before a key: a space, or a new line with its indentation.
    before: String,
}

impl Style {
    /// A value as it would stand in this object.
    fn text(&self, value: &Value, document: &[u8]) -> String {
        let text = match self.before.rsplit_once('\n') {
            Some((_, indentation)) => {
                let line =
                    format!("{}{indentation}", if self.before.contains("\r\n") { "\r\n" } else { "\n" });
                serde_json::to_string_pretty(value).unwrap_or_default().replace('\n', &line)
            }
            None => value.to_string(),
        };
        // A file that escapes everything beyond ASCII goes on to do so.
        if !document.is_ascii() || text.is_ascii() {
            return text;
        }
        escaped(&text)
    }
}

impl Places {
    fn of(bytes: &[u8], position: usize, name: &str) -> Result<Self, DocumentError> {
        let healed = same_length(bytes);
        let start = if healed.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let top: RawSlices<'_> = serde_json::from_str(&healed[start..])?;
        let list = top.get("findings").ok_or(DocumentError::NoFindings)?;
        let list: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(|_| DocumentError::NoFindings)?;
        let raw = list.get(position).ok_or(DocumentError::NoObject(position))?;
        let fields: RawSlices<'_> =
            serde_json::from_str(raw.get()).map_err(|_| DocumentError::NoObject(position))?;
        // Places in the healed copy are places in the document, because healing keeps the length.
        let place = |raw: &RawValue| {
            let at = raw.get().as_ptr() as usize - healed.as_ptr() as usize;
            at..at + raw.get().len()
        };
        let object = place(raw);
        let inner = &healed[object.start + 1..object.end];
        let before = inner.find('"').map_or("", |first| &inner[..first]).to_owned();
        Ok(Places {
            end: fields.0.last().map_or(object.start + 1, |(_, value)| place(value).end),
            is_empty: fields.0.is_empty(),
            value: fields.get(name).map(place),
            style: Style { before: if fields.0.is_empty() { String::new() } else { before } },
            object,
        })
    }
}

/// A field with its key and one of its commas.
fn whole_field(bytes: &[u8], value: &Range<usize>, object: &Range<usize>) -> Range<usize> {
    // Back over the colon to the key's closing quotation mark, and over the key, in which a quotation mark is escaped.
    let colon = bytes[..value.start].iter().rposition(|b| *b == b':').unwrap_or(object.start);
    let close = bytes[..colon].iter().rposition(|b| *b == b'"').unwrap_or(object.start);
    let mut open = close.saturating_sub(1);
    while open > object.start && (bytes[open] != b'"' || bytes[open - 1] == b'\\') {
        open -= 1;
    }
    let before = bytes[..open].iter().rposition(|b| !b.is_ascii_whitespace()).unwrap_or(object.start);
    if bytes[before] == b',' {
        return before..value.end;
    }
    let after =
        bytes[value.end..].iter().position(|b| !b.is_ascii_whitespace()).map_or(value.end, |n| value.end + n);
    if bytes.get(after) == Some(&b',') {
        return before + 1..after + 1;
    }
    before + 1..value.end
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PRETTY: &str = "{\n  \"metadata\": {\"z\":1},\n  \"findings\": [\n    {\n      \"id\": \"A\",\n      \"x\": \"\\ud83d\"\n    },\n    {\n      \"id\": \"B\",\n      \"status\": \"open\",\n      \"n\": 1.0\n    }\n  ]\n}";

    fn changed(text: &str, position: usize, changes: &[(&str, Option<Value>)]) -> String {
        String::from_utf8(with_fields(text.as_bytes(), position, changes).unwrap()).unwrap()
    }

    #[test]
    fn only_what_is_changed_changes() {
        let changes = [("status", Some(json!("resolved"))), ("resolution", Some(json!({ "by": "Ü" })))];
        let expected = PRETTY.replace("\"open\"", "\"resolved\"").replace(
            "\"n\": 1.0",
            "\"n\": 1.0,\n      \"resolution\": {\n        \"by\": \"\\u00dc\"\n      }",
        );
        let text = changed(PRETTY, 1, &changes);
        assert_eq!(text, expected);
        // And back again.
        let back = changed(&text, 1, &[("status", Some(json!("open"))), ("resolution", None)]);
        assert_eq!(back, PRETTY);
    }

    #[test]
    fn fields_go_from_the_front_and_from_the_end_and_alone() {
        let text = r#"{"findings":[{"a": 1, "b\"c": {"x":[1]}, "d" : 2}]}"#;
        assert_eq!(changed(text, 0, &[("a", None)]), r#"{"findings":[{ "b\"c": {"x":[1]}, "d" : 2}]}"#);
        assert_eq!(changed(text, 0, &[("b\"c", None)]), r#"{"findings":[{"a": 1, "d" : 2}]}"#);
        assert_eq!(changed(text, 0, &[("d", None)]), r#"{"findings":[{"a": 1, "b\"c": {"x":[1]}}]}"#);
        assert_eq!(changed(r#"{"findings":[{"a": 1}]}"#, 0, &[("a", None)]), r#"{"findings":[{}]}"#);
        assert_eq!(
            changed(r#"{"findings":[{}]}"#, 0, &[("a", Some(json!("é")))]),
            r#"{"findings":[{"a": "\u00e9"}]}"#
        );
        assert_eq!(changed(text, 0, &[("nothing", None)]), text);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        assert!(matches!(with_fields(b"[]", 0, &[("a", None)]), Err(DocumentError::Json(_))));
        assert!(matches!(with_fields(b"{}", 0, &[("a", None)]), Err(DocumentError::NoFindings)));
        assert!(matches!(
            with_fields(br#"{"findings":[]}"#, 0, &[("a", None)]),
            Err(DocumentError::NoObject(0))
        ));
    }
}
