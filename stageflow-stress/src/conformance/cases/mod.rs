//! The cases, by what they are about.

mod breaker;
mod cancel;
mod children;
mod cleanup;
mod conditions;
mod contracts;
mod events;
mod failure;
mod graph;
mod growth;
mod guards;
mod idempotency;
mod interceptors;
mod outputs;
mod retry;
mod runs;
mod snapshot;
mod tools;

use std::time::Duration;

use serde_json::{Map, Value};

use super::bench::{Stop, quick, watched};
use super::{Bench, Case};
use crate::classify::{Category, Oracle};
use crate::engine::{
    Behavior, Capability, FlakyHow, PipelineSpec, RunEnd, RunOptions, RunReport, StageKind, StageSpec,
    StageStatus,
};

/// The suite.
pub const CASES: &[&[Case]] = &[
    graph::CASES,
    conditions::CASES,
    failure::CASES,
    cancel::CASES,
    retry::CASES,
    outputs::CASES,
    snapshot::CASES,
    runs::CASES,
    idempotency::CASES,
    tools::CASES,
    guards::CASES,
    interceptors::CASES,
    breaker::CASES,
    events::CASES,
    children::CASES,
    cleanup::CASES,
    contracts::CASES,
    growth::CASES,
];

/// A table of cases: documentation, entry, name, category and oracle, what it needs, and what it does.
macro_rules! cases {
    ($(
        $(#[doc = $about:literal])+
        $entry:literal $name:ident ($category:ident, $oracle:ident) [$($need:ident),*] |$t:ident| $body:block
    )+) => {
        pub(super) const CASES: &[Case] = &[$(
            Case {
                name: stringify!($name),
                entry: $entry,
                about: concat!($($about),+),
                category: Category::$category,
                oracle: Oracle::$oracle,
                needs: &[$(Capability::$need),*],
                body: $name,
            },
        )+];

        $(
            $(#[doc = $about])+
            fn $name($t: &mut Bench<'_>) -> Result<(), Stop> {
                $body;
                Ok(())
            }
        )+
    };
}
use cases;

/// Soon enough for a person, late enough for a scheduler.
const SOON: Duration = Duration::from_millis(15);
/// Within the grace window of a watched run.
const LATER: Duration = Duration::from_millis(70);
/// Longer than any grace window.
const NEVER: Duration = Duration::from_secs(600);

fn pipeline(name: &str) -> PipelineSpec {
    PipelineSpec::new(name)
}

fn stage(name: impl Into<String>, behavior: Behavior) -> StageSpec {
    StageSpec::new(name, behavior)
}

/// A stage that acts on the world and returns nothing of interest.
fn act(name: impl Into<String>, effect: &str) -> StageSpec {
    StageSpec::new(name, Behavior::emit("done", true)).kind(StageKind::Work).effect(effect)
}

fn object(pairs: &[(&str, Value)]) -> Value {
    Value::Object(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<Map<_, _>>())
}

/// What the engine reports of a stage's data; what its body returned, where the engine reports nothing.
fn data(report: &RunReport, stage: &str) -> Option<Value> {
    let stage = report.stage(stage)?;
    if stage.reported { stage.data.clone() } else { stage.returned_data.clone() }
}

fn value(report: &RunReport, stage: &str, key: &str) -> Option<Value> {
    data(report, stage)?.get(key).cloned()
}

fn attempts(report: &RunReport, stage: &str) -> u32 {
    report.stage(stage).map_or(0, |stage| stage.attempts)
}

/// Effects in the order in which they happened.
fn effects(report: &RunReport) -> Vec<&str> {
    report.effects.iter().map(|effect| effect.name.as_str()).collect()
}
