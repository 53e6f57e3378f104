//! What the pages share: the switch that plants a defect, and short forms for stages. A test of your own needs none of it.

use std::future::Future;

use miniflow::{
    Data, Defect, Defects, ErrorKind, GraphBuilder, Output, StageContext, StageDef, StageError, StageFuture,
};
use serde_json::Value;

/// Names what is broken on purpose: a defect of miniflow's switchboard, or one of [`CONTROLS`].
pub const SWITCH: &str = "MINIFLOW_DEFECT";

/// What pages break in their own part of the system, where miniflow has no such part.
pub const CONTROLS: &[&str] = &[
    "AbortsWhenFull",
    "CountsWorkNotTime",
    "IgnoresRetryAfter",
    "OneAtATime",
    "OutboxForgets",
    "PoolIsFirstComeFirstServed",
    "PoolNeverAges",
    "SessionKeepsEverything",
];

fn planted() -> Option<String> {
    std::env::var(SWITCH).ok().filter(|name| !name.is_empty())
}

/// Whether this part of a page is broken on purpose.
pub fn is_broken(control: &str) -> bool {
    assert!(CONTROLS.contains(&control), "`{control}` is no control");
    planted().is_some_and(|name| name == control)
}

/// The defect that is planted in miniflow; none unless the switch names one.
pub fn defects() -> Defects {
    let Some(name) = planted() else { return Defects::NONE };
    match Defect::ALL.iter().find(|defect| defect.name() == name) {
        Some(defect) => Defects::only(*defect),
        None if CONTROLS.contains(&name.as_str()) => Defects::NONE,
        None => {
            panic!("{SWITCH} is `{name}`, which is no defect of the switchboard and none of {CONTROLS:?}")
        }
    }
}

/// An empty graph, with what is planted.
pub fn graph(name: &str) -> GraphBuilder {
    GraphBuilder::new(name).defects(defects())
}

/// A stage from an asynchronous closure.
pub fn stage<Fut>(name: &str, body: impl Fn(StageContext) -> Fut + Send + Sync + 'static) -> StageDef
where
    Fut: Future<Output = Result<Output, StageError>> + Send + 'static,
{
    StageDef::new(name, move |ctx: StageContext| -> StageFuture { Box::pin(body(ctx)) })
}

/// Keys and values.
pub fn data<const N: usize>(fields: [(&str, Value); N]) -> Data {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// An output of keys and values.
pub fn output<const N: usize>(fields: [(&str, Value); N]) -> Output {
    Output::ok(data(fields))
}

/// An error after which another attempt may work.
pub fn transient(error: impl ToString) -> StageError {
    StageError::new(ErrorKind::Transient, error.to_string())
}

/// An error after which no other attempt will work.
pub fn permanent(error: impl ToString) -> StageError {
    StageError::new(ErrorKind::Permanent, error.to_string())
}
