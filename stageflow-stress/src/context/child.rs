//! The lines of a child process, in the log of the test that uses it.

use std::borrow::Cow;

use serde_json::Value;

use super::Handle;
use crate::capture::LogEvent;
use crate::log::format::{Level, Route};
use crate::worker::{ChildOutput, ChildRecord, ChildStream};

/// Every line of the child becomes a record of the test's log.
impl ChildOutput for Handle {
    fn log(&self, record: ChildRecord) {
        let mut target = record.source;
        if !record.target.is_empty() {
            target = format!("{target}/{}", record.target);
        }
        let mut fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = record
            .fields
            .into_iter()
            .map(|(key, value)| {
                let value = match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                (key.into(), value.into())
            })
            .collect();
        if record.stream != ChildStream::Log {
            fields.push(("stream".into(), record.stream.as_str().into()));
        }
        self.inner.active.log.write(&LogEvent {
            fields: &fields,
            // Python's own names; what a child calls otherwise is kept as a raw line.
            ..LogEvent::new(
                record.level.and_then(|level| level.parse::<Level>().ok()),
                Route::Child,
                &target,
                &record.message,
            )
        });
    }
}
