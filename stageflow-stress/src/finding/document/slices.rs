//! JSON of any origin as places in its text, so that what nobody changed is kept as it is.

use serde_json::value::RawValue;

use super::heal;

/// A text of the same length that a parser reads: bytes that are no UTF-8 become `?`, lone surrogate escapes U+FFFD.
pub(in crate::finding) fn same_length(bytes: &[u8]) -> String {
    let mut copy = bytes.to_vec();
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&copy[at..]) {
        let wrong = at + error.valid_up_to();
        let length = error.error_len().unwrap_or(copy.len() - wrong);
        copy[wrong..wrong + length].fill(b'?');
        at = wrong;
    }
    let text = String::from_utf8(copy).unwrap_or_default();
    heal(&text).into_owned()
}

/// The fields of an object as places in its text.
pub(in crate::finding) struct RawSlices<'a>(pub(in crate::finding) Vec<(String, &'a RawValue)>);

impl<'a> RawSlices<'a> {
    /// The last value of a key, as JSON readers do with a repeated one.
    pub(in crate::finding) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(known, _)| known == key).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for RawSlices<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Fields<'a> {
            type Value = RawSlices<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<RawSlices<'a>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'a RawValue>()? {
                    fields.push(field);
                }
                Ok(RawSlices(fields))
            }
        }
        deserializer.deserialize_map(Fields(std::marker::PhantomData))
    }
}

/// Everything beyond ASCII as escapes, as Python writes it.
pub(in crate::finding) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            escaped.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}
