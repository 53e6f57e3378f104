//! Assertions at the end of a test: what was counted is recorded and judged.

use serde_json::json;

use super::session::Session;
use crate::assertion::{self, AssertionRecord, Kind};
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::journal::record::Record;
use crate::registry;
use crate::run::{Catalogue, Registered, test_key};
use crate::terminal::say;

/// Records what the test did at the places of assertions, and files a finding for each that it violated.
pub fn judge(inner: &Inner) -> Vec<AssertionRecord> {
    let records = inner.active.assertions.records();
    for record in &records {
        inner.record(Record::Assertion(record.clone()));
        if record.is_violated() {
            inner.file(violation(inner, record), "runtime", None);
        }
    }
    records
}

fn violation(inner: &Inner, record: &AssertionRecord) -> Finding {
    let place = &record.place;
    let file = inner.shown_file(&place.file);
    let (title, happened) = match place.kind {
        Kind::Unreachable => {
            (format!("unreachable code was reached: {}", place.name), "The place was reached")
        }
        _ => (format!("does not always hold: {}", place.name), "The condition was false"),
    };
    let times = record.failed;
    let mut finding = Finding::new(FindingType::Bug, title)
        .severity(inner.severity())
        .rule(format!("assertion.{}", place.kind))
        .key(place.name.as_str())
        .description(format!(
            "{happened} {times} of {} times, at {file}:{}.",
            record.held + times,
            place.line
        ))
        .evidence(
            "assertion",
            "counted while the test ran",
            json!({ "module": place.module, "held": record.held, "failed": record.failed }),
        );
    finding.location = Some(format!("{file}:{}", place.line));
    finding.source_line = inner.source_line(&place.file, place.line);
    finding
}

/// Notes in the catalogue that the test has ended.
pub fn ended(inner: &Inner, session: &Session, records: &[AssertionRecord]) {
    let Some(catalogue) = &session.catalogue else { return };
    let test = test_key(&inner.start.crate_name, &inner.start.name);
    if let Err(error) = catalogue.ended(&test, inner.entry.id, records) {
        say!("stageflow-stress: cannot note the end of `{}` in the catalogue: {error}", inner.start.name);
    }
}

/// Everything that this binary registered.
pub fn catalogue() -> Catalogue {
    let tests = registry::tests().into_iter().map(|def| Registered {
        name: def.name(),
        crate_name: def.crate_name.to_owned(),
        entry: def.entry().map_or_else(String::new, |entry| entry.id.to_owned()),
        ignored: def.ignore.map(str::to_owned),
    });
    Catalogue::new(tests.collect(), assertion::places())
}
