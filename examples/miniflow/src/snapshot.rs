//! The context snapshot: what a run was asked, which nothing changes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::bag::numbers_to_floats;
use crate::defects::{Defect, Defects};
use crate::stage::Data;

/// The immutable input of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The request as text.
    pub input_text: Option<String>,
    data: Arc<Data>,
}

impl Snapshot {
    /// A snapshot of the given data.
    #[must_use]
    pub fn new(data: Data) -> Self {
        Snapshot { input_text: None, data: Arc::new(data) }
    }

    /// Sets the request as text.
    #[must_use]
    pub fn input_text(mut self, text: impl Into<String>) -> Self {
        self.input_text = Some(text.into());
        self
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn data_mut(&mut self) -> &mut Data {
        Arc::make_mut(&mut self.data)
    }

    /// Writes it as one JSON text.
    #[must_use]
    pub fn encode(&self, defects: Defects) -> String {
        let mut data = Value::Object((*self.data).clone());
        if defects.on(Defect::SnapshotNumbersAreFloats) {
            numbers_to_floats(&mut data);
        }
        if defects.on(Defect::SnapshotDropsNulls) {
            drop_nulls(&mut data);
        }
        let text = json!({ "input_text": self.input_text, "data": data }).to_string();
        if defects.on(Defect::SnapshotTextIsAscii) {
            return text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        }
        text
    }

    /// Reads what [`encode`](Snapshot::encode) wrote.
    ///
    /// # Errors
    /// The text is no snapshot.
    pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
        let mut value: Value = serde_json::from_str(text)?;
        let data: Data = serde_json::from_value(value["data"].take())?;
        let input_text: Option<String> = serde_json::from_value(value["input_text"].take())?;
        Ok(Snapshot { input_text, data: Arc::new(data) })
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
