//! Section 9.4: what the invocation registered, and what became of it.

use crate::assertion::Kind;
use crate::markdown::{Doc, count};
use crate::run::PlaceState;

use super::super::facts::{Facts, TestFate};
use super::NOT_RECORDED;

pub fn catalogue(doc: &mut Doc, facts: &Facts<'_>) {
    let Some(catalogue) = &facts.state.catalogue else {
        doc.line(NOT_RECORDED);
        return;
    };
    let tests = facts.registered();
    let with = |fate: TestFate| tests.iter().filter(|(_, known)| *known == fate).count();
    doc.line(format!(
        "{} of this entry: {} ran, {} did not run, of which {} ignored. A test that did not run is no pass.",
        count(tests.len(), "registered test", "registered tests"),
        with(TestFate::Ran),
        tests.len() - with(TestFate::Ran),
        with(TestFate::Ignored),
    ));
    doc.table(
        ["Registered test", "Crate", "In this run"],
        tests.iter().map(|(test, fate)| {
            let fate = match (fate, test.ignored.as_deref().unwrap_or_default()) {
                (TestFate::Ran, _) => "ran".to_owned(),
                (TestFate::Ignored, "") => "never ran: ignored".to_owned(),
                (TestFate::Ignored, why) => format!("never ran: ignored, {why}"),
                (TestFate::NotRun, _) => "never ran: filtered, or not begun".to_owned(),
            };
            [test.name.as_str().into(), test.crate_name.as_str().into(), fate.into()]
        }),
    );
    if catalogue.assertions.is_empty() {
        return;
    }
    let missing = catalogue.assertions.iter().filter(|place| place.is_missing()).count();
    doc.line(format!(
        "{} in the invocation, {missing} of them not satisfied.",
        count(catalogue.assertions.len(), "assertion", "assertions")
    ));
    if catalogue.pending > 0 && missing > 0 {
        doc.line(format!(
            "Inconclusive: {} of the invocation had not ended when this was written.",
            count(catalogue.pending, "registered test", "registered tests")
        ));
    }
    let history = &catalogue.history;
    if history.invocations > 1 {
        let mut line = format!("The last column is over {} invocations", history.invocations);
        if history.left_out + history.unreadable > 0 {
            line += &format!(
                "; {} older ones were left out and {} cannot be read",
                history.left_out, history.unreadable
            );
        }
        if history.pending > 0 {
            line += &format!(
                ". {} ended in none of them",
                count(history.pending, "registered test", "registered tests")
            );
        }
        doc.line(line + ".");
    }
    doc.table(
        [
            "Assertion",
            "Name",
            "Place",
            "Held here",
            "Failed here",
            "Over the invocation",
            "Satisfied in invocations",
        ],
        catalogue.assertions.iter().map(|place| {
            let (held, failed) = hits(facts, place);
            let over = match place.place.kind {
                Kind::Unreachable if place.entries.is_empty() => "not reached",
                Kind::Unreachable => "reached",
                _ if place.satisfied => "satisfied",
                _ if catalogue.pending > 0 => "not yet satisfied",
                _ => "never satisfied",
            };
            [
                place.place.kind.as_str().into(),
                place.place.name.as_str().into(),
                format!("{}:{}", place.place.file, place.place.line).into(),
                held.to_string().into(),
                failed.to_string().into(),
                over.into(),
                match place.place.kind {
                    Kind::Unreachable => "must not".into(),
                    _ => {
                        format!("{} of {}", history.of(place).satisfied, history.of(place).registered).into()
                    }
                },
            ]
        }),
    );
}

/// How often the place held and failed in the tests of this run.
fn hits(facts: &Facts<'_>, place: &PlaceState) -> (u64, u64) {
    let records = facts.state.tests.iter().flat_map(|test| &test.assertions);
    records
        .filter(|record| record.place == place.place)
        .fold((0, 0), |(held, failed), record| (held + record.held, failed + record.failed))
}
