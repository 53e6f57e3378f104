//! DAG-010, contention under a burst: of two hundred runs that begin at one moment on one graph each has its own answer, each is
//! cleaned up once, every event is delivered or counted as dropped, and nothing is held afterwards.
//!
//! To adapt: give each request something of its own and look for it in the answer. Count clean-ups where they act.
//!
//! Red with: `BagIsShared`, `CleanupsAreShared`, `DropsAreNotCounted`, `FinishedRunsAreKept`.

use std::sync::Arc;
use std::time::Duration;

use miniflow::{Boxed, Event, EventQueue, EventSink, Graph, RunConfig, Snapshot};
use serde_json::{Value, json};
use stageflow_stress::effects::Effects;
use stageflow_stress::oracle::{Acknowledged, exactly_once};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{data, defects, graph, output, stage};

const RUNS: u64 = 200;

/// A sink that is slower than the engine.
struct Slow;

impl EventSink for Slow {
    fn take(&self, _: Event) -> Boxed<'_, Result<(), String>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        })
    }
}

fn serving(closed: &Effects) -> Outcome<Graph> {
    let closed = closed.clone();
    let open = stage("open", move |ctx| {
        let closed = closed.clone();
        async move {
            let number = ctx.snapshot().data()["number"].clone();
            let connection = number.to_string();
            ctx.on_cleanup(move || closed.record(connection));
            tokio::task::yield_now().await;
            Ok(output([("number", number)]))
        }
    });
    let answer = stage("answer", |ctx| async move {
        tokio::task::yield_now().await;
        Ok(output([("number", json!(ctx.get("number")))]))
    });
    Ok(graph("serving").stage(open).stage(answer.after("open")).build()?)
}

async fn serve(graph: Graph, events: Arc<EventQueue>, number: u64) -> Result<Value, String> {
    let config = RunConfig {
        snapshot: Snapshot::new(data([("number", json!(number))])),
        events: Some(events),
        ..RunConfig::default()
    };
    let result = graph.run(config).await;
    if !result.succeeded() {
        return Err(result.error.unwrap_or_default());
    }
    let answer = result.outputs["answer"].data.get("number").cloned().unwrap_or_default();
    if answer == json!(number) { Ok(answer) } else { Err(format!("run {number} is answered {answer}")) }
}

#[roadmap_test("DAG-010", category = Scalability, pipeline = Stress, oracle(Bounds, SideEffect, Consistency))]
async fn a_burst_loses_nothing(cx: &TestContext) -> Outcome {
    let closed = cx.effects("closed");
    let graph = serving(&closed)?;
    // Room for a tenth of what will be emitted at once.
    let events = Arc::new(EventQueue::start(Arc::new(Slow), 128, defects()));
    let burst = scenario::burst(RUNS, |number| serve(graph.clone(), Arc::clone(&events), number)).await?;
    cx.check_eq("runs without their own answer", burst.failed, Vec::<String>::new());
    cx.check_eq("runs with their own answer", burst.ok.len() as u64, RUNS);

    let told: Vec<_> = (0..RUNS).map(|number| (number.to_string(), Acknowledged::Done)).collect();
    cx.verdict("each run is cleaned up once", &exactly_once(&told, &closed.keys()));
    cx.check_eq("nothing is held afterwards", graph.active_runs(), 0);
    let delivery = events.close().await;
    let settled = delivery.delivered + delivery.dropped + delivery.failed;
    cx.check("the queue was full", delivery.emitted > delivery.delivered);
    cx.check_eq("every event is accounted for", settled, delivery.emitted);
    Ok(())
}
