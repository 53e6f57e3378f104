//! What the scenarios have in common: stages that call ports, a sink that is audited, tools that count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use miniflow::{
    Boxed, Data, Defects, Delivery, End, ErrorKind, Event, EventQueue, EventSink, Graph, GraphBuilder,
    Output, Resources, RunConfig, RunResult, StageContext, StageDef, StageError, StageFuture, Tool,
};
use serde_json::{Value, json};
use stageflow_stress::effects::Effects;
use stageflow_stress::engine::EventBridge;
use stageflow_stress::fault::{FaultKind, InjectedError, Port};
use stageflow_stress::prelude::*;

/// The instruments of one run of a scenario.
pub struct Lab<'p> {
    pub probe: &'p Probe,
    pub defects: Defects,
}

/// The stages of all scenarios: an error names one of them.
const STAGES: [&str; 14] = [
    "fetch", "rank", "enrich", "policy", "store", "classify", "reply", "reserve", "charge", "ship", "source",
    "hare", "tortoise", "end",
];

/// The faults of transport: what answers say is another matter.
pub const TRANSPORT: [FaultKind; 5] =
    [FaultKind::Error, FaultKind::Panic, FaultKind::Loss, FaultKind::LostReply, FaultKind::Latency];

/// A port that answers with JSON.
pub type JsonPort = Arc<dyn Fn() -> Boxed<'static, Result<Value, InjectedError>> + Send + Sync>;

impl Lab<'_> {
    pub fn graph(&self, name: &str) -> GraphBuilder {
        GraphBuilder::new(name).defects(self.defects)
    }

    /// A port with this answer.
    pub fn port(&self, name: &str, answer: Value) -> JsonPort {
        let operation = move |()| {
            let answer = answer.clone();
            async move { Ok::<_, InjectedError>(answer) }
        };
        let port: Arc<Port<_, _>> = Arc::new(self.probe.port(name, operation).json());
        Arc::new(move || {
            let port = port.clone();
            Box::pin(async move { port.call(()).await })
        })
    }

    /// A stage that returns what its port answers.
    pub fn asks(&self, name: &str, answer: Value) -> StageDef {
        let port = self.port(name, answer);
        StageDef::new(name, move |_: StageContext| -> StageFuture {
            let port = port.clone();
            Box::pin(async move { Ok(Output::ok(data(port().await.map_err(raised)?))) })
        })
    }

    /// Runs a graph with an audited sink: events are told as they must be and none is lost, whatever the run comes to.
    pub async fn run(&self, graph: &Graph, config: RunConfig) -> RunResult {
        let bridge = EventBridge::new().may_skip(["slow", "fast"]);
        let queue = Arc::new(EventQueue::start(Arc::new(Sink(bridge.clone())), 1_000, self.defects));
        let result = graph.run(RunConfig { events: Some(queue.clone()), ..config }).await;
        let Delivery { emitted, delivered, dropped, failed } = queue.close().await;
        self.probe
            .always("events are delivered, dropped or refused", emitted == delivered + dropped + failed);
        if !result.replayed {
            self.probe.always(
                &format!("what is told of the stages of {}", graph.name()),
                bridge.audit().is_valid(),
            );
        }
        if result.end == End::Failed {
            let told = result.error.as_deref().unwrap_or_default();
            self.probe
                .always("an error says where it happened", STAGES.iter().any(|stage| told.contains(stage)));
        }
        result
    }
}

struct Sink(EventBridge);

impl EventSink for Sink {
    fn take(&self, event: Event) -> Boxed<'_, Result<(), String>> {
        self.0.event(&event.name, &event.data);
        Box::pin(async {
            // A sink is not done at once: what is on its way when the queue is closed must arrive all the same.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok(())
        })
    }
}

/// A tool that counts how often it holds.
pub struct Counted {
    pub name: &'static str,
    pub port: JsonPort,
    pub held: Arc<Mutex<BTreeMap<&'static str, i64>>>,
    pub effects: Effects,
}

impl Tool for Counted {
    fn call<'a>(&'a self, _: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            (self.port)().await.map_err(|error| error.to_string())?;
            self.effects.record(self.name);
            *self.held.lock().unwrap().entry(self.name).or_default() += 1;
            Ok(())
        })
    }

    fn undo<'a>(&'a self, _: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            self.effects.record(format!("undo {}", self.name));
            *self.held.lock().unwrap().entry(self.name).or_default() -= 1;
            Ok(())
        })
    }
}

pub fn raised(error: InjectedError) -> StageError {
    StageError::new(ErrorKind::Transient, error.to_string())
}

pub fn data(value: Value) -> Data {
    match value {
        Value::Object(map) => map,
        other => Data::from_iter([("value".to_owned(), other)]),
    }
}

/// What a run came to, as an output.
pub fn told(result: &RunResult) -> Value {
    let outputs: BTreeMap<&String, Value> = result
        .outputs
        .iter()
        .map(|(stage, output)| {
            (stage, json!({ "status": format!("{:?}", output.status), "data": output.data }))
        })
        .collect();
    json!({ "end": format!("{:?}", result.end), "outputs": outputs })
}

/// An end that is not ok is a reported failure.
pub fn loud(result: &RunResult) -> Outcome {
    match (result.end, &result.error) {
        (End::Ok, _) => Ok(()),
        (end, error) => {
            Err(Failure::new(format!("{end:?}: {}", error.as_deref().unwrap_or("without a reason"))))
        }
    }
}
