//! The lines of a child process, in the log of the test that uses it.

use std::borrow::Cow;

use serde_json::Value;

use super::Handle;
use crate::capture::LogEvent;
use crate::classify::Severity;
use crate::finding::Finding;
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

    /// It is a finding too: the error came from a run, and no report of a run has it.
    fn late_error(&self, record: ChildRecord) {
        let finding = Finding::silent_failure("an error reached the event loop after the report of its run")
            .severity(Severity::Medium)
            .rule("engine.late_loop_error")
            .description(format!(
                "{} tells of it when nobody listened any more: {}",
                record.source, record.message
            ))
            .evidence(
                "event loop",
                record.message.as_str(),
                serde_json::json!({ "message": &record.message, "fields": &record.fields }),
            );
        self.inner.file(finding, "worker", None);
        self.log(record);
    }
}
