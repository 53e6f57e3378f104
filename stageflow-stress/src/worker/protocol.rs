//! The lines of the protocol.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a child may send.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// An answer to a request.
    Answer { id: u64, result: Result<Value, Refusal> },
    /// A line streamed meanwhile.
    Note { kind: String, body: Map<String, Value> },
    /// No protocol.
    Garbage(String),
}

/// The error of an answer.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) trace: Option<String>,
}

pub(super) fn parse(line: &[u8]) -> Line {
    let garbage = || Line::Garbage(String::from_utf8_lossy(line).trim_end().to_owned());
    let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(line) else { return garbage() };
    if let Some(Value::String(kind)) = body.remove("n") {
        return Line::Note { kind, body };
    }
    let Some(id) = body.get("id").and_then(Value::as_u64) else { return garbage() };
    match body.get("ok") {
        Some(Value::Bool(true)) => {
            Line::Answer { id, result: Ok(body.remove("result").unwrap_or(Value::Null)) }
        }
        Some(Value::Bool(false)) => {
            let error = body.remove("error").unwrap_or_default();
            // An error that is a bare text, as hand-written targets send it, is taken as it is.
            let refusal = match error {
                Value::String(message) => Refusal { kind: "error".to_owned(), message, trace: None },
                other => serde_json::from_value(other).unwrap_or_default(),
            };
            Line::Answer { id, result: Err(refusal) }
        }
        _ => garbage(),
    }
}

pub(super) fn request(id: u64, op: &str, mut body: Map<String, Value>) -> Vec<u8> {
    body.insert("id".to_owned(), id.into());
    body.insert("op".to_owned(), op.into());
    let mut line = Value::Object(body).to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_notes_and_garbage_are_told_apart() {
        assert_eq!(
            parse(br#"{"id":7,"ok":true,"result":{"n":1}}"#),
            Line::Answer { id: 7, result: Ok(json!({ "n": 1 })) }
        );
        assert_eq!(
            parse(br#"{"n":"ready","pid":3}"#),
            Line::Note { kind: "ready".to_owned(), body: Map::from_iter([("pid".to_owned(), json!(3))]) }
        );
        assert_eq!(parse(b"hello\n"), Line::Garbage("hello".to_owned()));
        // Torn, no object, no id, no verdict, not UTF-8.
        for line in [&br#"{"id":1,"ok":tr"#[..], b"[1]", br#"{"ok":true}"#, br#"{"id":1}"#, b"\xff\xfe"] {
            assert!(matches!(parse(line), Line::Garbage(_)), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_refusal_may_be_an_object_or_a_text() {
        let Line::Answer { result: Err(refusal), .. } =
            parse(br#"{"id":1,"ok":false,"error":{"type":"KeyError","message":"x"}}"#)
        else {
            panic!()
        };
        assert_eq!((refusal.kind.as_str(), refusal.message.as_str()), ("KeyError", "x"));
        let Line::Answer { result: Err(refusal), .. } = parse(br#"{"id":1,"ok":false,"error":"no"}"#) else {
            panic!()
        };
        assert_eq!(refusal.message, "no");
    }

    #[test]
    fn a_request_is_one_line() {
        let body = Map::from_iter([("text".to_owned(), json!("a\nb"))]);
        let line = request(3, "echo", body);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(line.ends_with(b"}\n"));
    }
}
