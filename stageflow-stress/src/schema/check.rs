//! The part of JSON Schema (draft 7) that our schemas use.

use std::fmt;

use serde_json::{Map, Value};

use crate::finding::time::is_rfc3339;
use crate::pointer::pointer_step;

/// What a document violates, and where.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// Where, as a JSON pointer; empty for the whole document.
    pub pointer: String,
    /// What.
    pub what: ViolationKind,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{place}: {}", self.what)
    }
}

/// How a value violates its schema.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ViolationKind {
    /// Another type.
    #[error("is {found} and not {expected}")]
    Type {
        /// The type.
        found: &'static str,
        /// The types that are allowed.
        expected: String,
    },
    /// A field that has to be there.
    #[error("has no `{0}`")]
    Missing(String),
    /// A field that must not be there.
    #[error("has `{0}`, which must not be there")]
    Unexpected(String),
    /// A value that is none of those that are allowed.
    #[error("is {found} and none of {expected}")]
    NotAmong {
        /// The value.
        found: String,
        /// Those that are allowed.
        expected: String,
    },
    /// No time of RFC 3339.
    #[error("`{0}` is no time of RFC 3339")]
    NoTime(String),
    /// A text of another form.
    #[error("`{found}` does not match {expected}")]
    Form {
        /// The text.
        found: String,
        /// The form.
        expected: String,
    },
    /// A number below the least one.
    #[error("{found} is less than {least}")]
    TooSmall {
        /// The number.
        found: f64,
        /// The least one.
        least: f64,
    },
    /// A number above the greatest one.
    #[error("{found} is greater than {greatest}")]
    TooGreat {
        /// The number.
        found: f64,
        /// The greatest one.
        greatest: f64,
    },
    /// A value that fits none, or several, of alternatives of which it has to fit one.
    #[error("fits {0} of the alternatives and not one")]
    Alternatives(usize),
}

struct Check<'a> {
    root: &'a Value,
    found: Vec<Violation>,
}

pub fn violations(schema: &Value, document: &Value) -> Vec<Violation> {
    let mut check = Check { root: schema, found: Vec::new() };
    check.value(schema, document, "");
    check.found
}

impl Check<'_> {
    fn add(&mut self, pointer: &str, what: ViolationKind) {
        self.found.push(Violation { pointer: pointer.to_owned(), what });
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let Some(schema) = schema.as_object() else { return };
        // In draft 7 a reference stands alone.
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            if let Some(target) = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
                self.value(target, value, at);
            }
            return;
        }
        self.types(schema, value, at);
        self.words(schema, value, at);
        match value {
            Value::Object(fields) => self.object(schema, fields, at),
            Value::Array(items) => {
                if let Some(each) = schema.get("items") {
                    for (position, item) in items.iter().enumerate() {
                        self.value(each, item, &format!("{at}/{position}"));
                    }
                }
            }
            Value::String(text) => self.text(schema, text, at),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or(f64::NAN), at),
            _ => {}
        }
        if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
            let root = self.root;
            let fits = |alternative: &&Value| {
                let mut check = Check { root, found: Vec::new() };
                check.value(alternative, value, at);
                check.found.is_empty()
            };
            let count = alternatives.iter().filter(fits).count();
            if count != 1 {
                self.add(at, ViolationKind::Alternatives(count));
            }
        }
    }

    fn types(&mut self, schema: &Map<String, Value>, value: &Value, at: &str) {
        let allowed: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let is = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => {
                value.is_u64() || value.is_i64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            _ => false,
        };
        if !allowed.iter().any(|name| is(name)) {
            self.add(at, ViolationKind::Type { found: name_of(value), expected: allowed.join(" or ") });
        }
    }

    fn words(&mut self, schema: &Map<String, Value>, value: &Value, at: &str) {
        let allowed: Vec<&Value> = match (schema.get("enum"), schema.get("const")) {
            (Some(Value::Array(several)), _) => several.iter().collect(),
            (_, Some(one)) => vec![one],
            _ => return,
        };
        if !allowed.contains(&value) {
            let expected = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            self.add(at, ViolationKind::NotAmong { found: value.to_string(), expected });
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, fields: &Map<String, Value>, parent: &str) {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !fields.contains_key(name) {
                self.add(parent, ViolationKind::Missing(name.to_owned()));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in fields {
            let at = &format!("{parent}/{}", pointer_step(name));
            match (properties.and_then(|known| known.get(name)), schema.get("additionalProperties")) {
                (Some(known), _) => self.value(known, value, at),
                (None, Some(Value::Bool(false))) => self.add(parent, ViolationKind::Unexpected(name.clone())),
                (None, Some(other)) => self.value(other, value, at),
                (None, None) => {}
            }
        }
    }

    fn text(&mut self, schema: &Map<String, Value>, text: &str, at: &str) {
        if schema.get("format").is_some_and(|format| format == "date-time") && !is_rfc3339(text) {
            self.add(at, ViolationKind::NoTime(text.to_owned()));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !matches(pattern, text)
        {
            self.add(at, ViolationKind::Form { found: text.to_owned(), expected: pattern.to_owned() });
        }
    }

    fn number(&mut self, schema: &Map<String, Value>, found: f64, at: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        if let Some(least) = bound("minimum").filter(|least| found < *least) {
            self.add(at, ViolationKind::TooSmall { found, least });
        }
        if let Some(greatest) = bound("maximum").filter(|greatest| found > *greatest) {
            self.add(at, ViolationKind::TooGreat { found, greatest });
        }
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The three forms that our schemas know. A test refuses a schema with any other.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    match pattern {
        "^[0-9]+$" => digits(text, 1),
        "^sfp1:[0-9a-f]{32}$" => crate::finding::is_fingerprint(text),
        "^(STR|BUG|DX|IMP)-[0-9]{3,}$" => text.split_once('-').is_some_and(|(prefix, number)| {
            matches!(prefix, "STR" | "BUG" | "DX" | "IMP") && digits(number, 3)
        }),
        _ => false,
    }
}
