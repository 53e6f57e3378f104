//! JSON as it was written: ordered, with every field, and with texts that are no valid Unicode.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// An object with its fields in their order, each as the text that stood there.
#[derive(Debug, Default)]
pub(in crate::finding) struct RawObject(pub(in crate::finding) Vec<(String, Box<RawValue>)>);

impl Clone for RawObject {
    fn clone(&self) -> Self {
        RawObject(self.0.iter().map(|(key, value)| (key.clone(), value.to_owned())).collect())
    }
}

impl RawObject {
    /// The last value of a key, as JSON readers do with a repeated one. A `null` counts as absent.
    pub(in crate::finding) fn get(&self, key: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == key)
            .map(|(_, value)| &**value)
            .filter(|v| v.get() != "null")
    }

    /// The value of a key as a type of ours, if it has that form.
    pub(in crate::finding) fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        read(self.get(key)?)
    }

    /// The last value of a key, `null` included.
    pub(super) fn read_any(&self, key: &str) -> Option<serde_json::Value> {
        self.0.iter().rev().find(|(known, _)| known == key).and_then(|(_, value)| read(value))
    }

    /// The text of a key. A number or a boolean counts as the text that stands there.
    pub(in crate::finding) fn text(&self, key: &str) -> Option<String> {
        let raw = self.get(key)?;
        read::<String>(raw).or_else(|| (!raw.get().starts_with(['{', '['])).then(|| raw.get().to_owned()))
    }
}

/// Reads a value from a healed copy of its text if its own text cannot be read.
pub(super) fn read<T: serde::de::DeserializeOwned>(raw: &RawValue) -> Option<T> {
    let text = raw.get();
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(_) => match heal(text) {
            Cow::Owned(healed) => serde_json::from_str(&healed).ok(),
            Cow::Borrowed(_) => None,
        },
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(RawObject(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The text with every lone surrogate escape replaced by U+FFFD, at the same length. Python writes such escapes, and no
/// JSON parser for Rust reads them.
pub(crate) fn heal(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut healed: Option<String> = None;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                healed.get_or_insert_with(|| text.to_owned()).replace_range(at..at + 6, "\\ufffd");
                at += 6;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    healed.map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lone_surrogates_are_healed_and_the_length_stays() {
        for (text, healed) in [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00\uD83D""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00x""#, r#""\ufffd\ud83d\ude00x""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d \u00e9 \n""#, r#""\\\ufffd \u00e9 \n""#),
            (r#""é\ud83d"#, r#""é\ufffd"#),
            (r#""\ud8"#, r#""\ud8"#),
            ("\\", "\\"),
        ] {
            assert_eq!(heal(text), healed);
            assert_eq!(heal(text).len(), text.len());
        }
        assert!(matches!(heal("\"plain\""), Cow::Borrowed(_)));
    }

    #[test]
    fn an_object_is_written_back_as_it_was() {
        let text = r#"{"b":1.0,"a":{"z": [1e5,"\ud83d"]},"a2":"é"}"#;
        let object: RawObject = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), text);
        assert_eq!(object.text("b").as_deref(), Some("1.0"));
        assert_eq!(object.text("a"), None);
        assert_eq!(object.read::<serde_json::Value>("a").unwrap()["z"][1], "\u{fffd}");
    }
}
