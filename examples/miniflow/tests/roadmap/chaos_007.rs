//! CHAOS-007, poison pill: one item that its handler cannot bear ends among the dead letters after its attempts, and all others are
//! handled, once.
//!
//! To adapt: put your queue's receive behind a port with `.json()`, and your consumer in place of `consume`. Have the handler record
//! its effect, and keep what it gives up.
//!
//! Red with: `PanicIsSwallowed`, `PanicIsNeverJoined`.

use std::time::Duration;

use miniflow::{Graph, Kind, RunConfig, Snapshot};
use serde_json::{Value, json};
use stageflow_stress::effects::Effects;
use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, InjectedError, Schedule};
use stageflow_stress::oracle::{Acknowledged, exactly_once};
use stageflow_stress::prelude::*;

use crate::support::{graph, output, stage};

const ITEMS: u64 = 20;
const DELIVERIES: u32 = 3;

/// A handler that panics at what it does not expect, as handlers do.
fn handling(handled: &Effects) -> Outcome<Graph> {
    let handled = handled.clone();
    let handle = stage("handle", move |ctx| {
        let handled = handled.clone();
        async move {
            let item = ctx.snapshot().data().clone();
            let text = item["text"].as_str().unwrap_or_default();
            assert!(text.chars().all(|c| c.is_alphanumeric() || c == ' '), "cannot handle {text:?}");
            handled.record(item["id"].to_string());
            Ok(output([]))
        }
    });
    Ok(graph("handling").stage(handle.kind(Kind::Work)).build()?)
}

/// Hands an item over until it is handled, at most so many times; how often it was, and whether it was handled.
async fn consume(graph: &Graph, item: &Value) -> (u32, bool) {
    for delivery in 1..=DELIVERIES {
        let snapshot = Snapshot::new(item.as_object().cloned().unwrap_or_default());
        let run = graph.run(RunConfig { snapshot, ..RunConfig::default() });
        match tokio::time::timeout(Duration::from_secs(5), run).await {
            Ok(result) if result.succeeded() => return (delivery, true),
            Ok(_) => {}
            // Nobody would ever hand it over again.
            Err(_) => return (delivery, false),
        }
    }
    (DELIVERIES, false)
}

#[roadmap_test("CHAOS-007", category = Reliability, pipeline = Adversarial, oracle(Bounds, SideEffect), flavor = "current_thread", start_paused, background_panics = "record")]
async fn one_poisoned_item_is_put_aside(cx: &TestContext) -> Outcome {
    let poison = Fault::new("queue", FaultKind::PoisonPill, Schedule::Nth(7)).path("/text");
    let faults = cx.faults(FaultPlan::new().with(poison));
    let queue = faults.port("queue", |n: u64| async move {
        Ok::<_, InjectedError>(json!({ "id": n, "text": format!("item {n}") }))
    });
    let queue = queue.json();
    let handled = cx.effects("handled");
    let graph = handling(&handled)?;

    let (mut told, mut dead_letters) = (Vec::new(), Vec::new());
    for n in 1..=ITEMS {
        let item = queue.call(n).await?;
        let (deliveries, done) = consume(&graph, &item).await;
        told.push((n.to_string(), if done { Acknowledged::Done } else { Acknowledged::Refused }));
        if !done {
            dead_letters.push((n, deliveries));
        }
    }
    cx.check_eq("the poisoned item is put aside after its attempts", dead_letters, vec![(7, DELIVERIES)]);
    cx.verdict("every other item is handled once", &exactly_once(&told, &handled.keys()));
    Ok(())
}
