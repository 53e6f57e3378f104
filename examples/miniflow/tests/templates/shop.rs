//! What the templates are put over: small graphs, each behind one method.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{
    Boxed, BreakerPolicy, Data, Defects, ErrorKind, Graph, GraphBuilder, GuardRetryPolicy, Kind, Output,
    Resources, RetryPolicy, RunConfig, RunResult, Snapshot, StageContext, StageDef, StageError, StageFuture,
    Tool, ToolDef,
};
use serde_json::{Value, json};
use stageflow_stress::effects::Effects;
use stageflow_stress::fault::{Faults, InjectedError};
use tokio::time::sleep;

const SOON: Duration = Duration::from_millis(1);

/// Graphs with the same defects; a clone shares them.
#[derive(Clone)]
pub struct Shop {
    defects: Defects,
    pub charges: Effects,
    /// One graph, so that what it keeps between its runs is kept.
    graph: Graph,
    /// Another that its requests go through under a key.
    charging: Graph,
    /// Further graphs that are kept from run to run, by name.
    kept: Arc<Mutex<BTreeMap<String, Graph>>>,
    delivered: Arc<Mutex<Vec<String>>>,
}

fn stage<Fut>(name: &str, body: impl Fn(StageContext) -> Fut + Send + Sync + 'static) -> StageDef
where
    Fut: Future<Output = Result<Output, StageError>> + Send + 'static,
{
    StageDef::new(name, move |ctx: StageContext| -> StageFuture { Box::pin(body(ctx)) })
}

fn keep(value: Value) -> Output {
    Output::ok(Data::from_iter([("value".to_owned(), value)]))
}

fn failed(kind: ErrorKind, error: impl ToString) -> StageError {
    StageError::new(kind, error.to_string())
}

fn asks(value: Value) -> RunConfig {
    let snapshot = Snapshot::new(Data::from_iter([("value".to_owned(), value)]));
    RunConfig { snapshot, ..RunConfig::default() }
}

/// What a run returned under `value` of its stage `last`, or its error.
fn answer(result: RunResult, last: &str) -> Result<Value, String> {
    if !result.succeeded() {
        return Err(result.error.unwrap_or_default());
    }
    Ok(result.outputs.get(last).and_then(|output| output.data.get("value").cloned()).unwrap_or_default())
}

impl Shop {
    pub fn new(defects: Defects) -> Self {
        let charges = Effects::new("charges");
        let recorded = charges.clone();
        // Echoes what it is asked, after others had the time to ask, too.
        let echo = stage("echo", |ctx| async move {
            sleep(SOON).await;
            Ok(keep(ctx.snapshot().data()["value"].clone()))
        });
        let last = stage("last", |ctx| async move {
            sleep(SOON).await;
            Ok(keep(ctx.get("value").unwrap_or_default()))
        });
        let charge = stage("last", move |ctx| {
            let recorded = recorded.clone();
            async move {
                sleep(SOON).await;
                recorded.record(ctx.snapshot().data()["value"].as_str().unwrap_or_default());
                Ok(keep(json!("charged")))
            }
        });
        let graph = |stages: Vec<StageDef>| {
            stages.into_iter().fold(GraphBuilder::new("shop").defects(defects), GraphBuilder::stage).build()
        };
        Shop {
            defects,
            charges,
            graph: graph(vec![echo, last.after("echo")]).unwrap(),
            charging: graph(vec![charge]).unwrap(),
            kept: Arc::default(),
            delivered: Arc::default(),
        }
    }

    fn of(&self, stages: Vec<StageDef>) -> GraphBuilder {
        stages.into_iter().fold(GraphBuilder::new("shop").defects(self.defects), GraphBuilder::stage)
    }

    /// A stage that succeeds after so many failures of each of its runs, within three attempts.
    pub async fn flaky(self, failures: u32) -> Result<Value, String> {
        let retry = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
        let last = stage("last", move |ctx| async move {
            if ctx.attempt <= failures {
                return Err(failed(ErrorKind::Transient, "not yet"));
            }
            Ok(keep(json!(ctx.attempt)))
        });
        let graph = self.kept("flaky", last);
        answer(graph.run(RunConfig { retry, ..RunConfig::default() }).await, "last")
    }

    /// The graph of this name, made of these stages the first time.
    fn kept(&self, name: &str, stage: StageDef) -> Graph {
        let make = || self.of(vec![stage]).build().unwrap();
        self.kept.lock().unwrap().entry(name.to_owned()).or_insert_with(make).clone()
    }

    /// A request whose answer must be its own.
    pub async fn own_answer(self, n: u64) -> Result<u64, String> {
        let value = answer(self.graph.run(asks(json!(n))).await, "last")?;
        if value == json!(n) { Ok(n) } else { Err(format!("request {n} is answered {value}")) }
    }

    pub async fn next(self, n: u64) -> Result<u64, String> {
        let value = answer(self.graph.run(asks(json!(n + 1))).await, "last")?;
        value.as_u64().filter(|next| *next == n + 1).ok_or_else(|| format!("after {n} comes {value}"))
    }

    pub async fn text(self, length: usize) -> Result<String, String> {
        self.same("x".repeat(length)).await
    }

    pub async fn same(self, text: String) -> Result<String, String> {
        let value = answer(self.graph.run(asks(json!(text))).await, "last")?;
        let length = value.as_str().map_or(0, str::len);
        if length == text.len() { Ok(text) } else { Err(format!("{length} of {} characters", text.len())) }
    }

    pub async fn longer(self, left: String, right: String) -> Result<String, String> {
        self.same(left + &right).await
    }

    /// Odd requests fail by themselves; one of them that is reported as done would be believed.
    pub async fn explodes_on_odd(self, n: u64) -> Result<(), String> {
        let last = stage("last", |ctx| async move {
            if ctx.snapshot().data()["value"].as_u64().unwrap_or_default() % 2 == 1 {
                // As a panic, without its text in the output of the tests.
                std::panic::resume_unwind(Box::new("odd".to_owned()));
            }
            Ok(keep(json!("even")))
        });
        let value = answer(self.of(vec![last]).build().unwrap().run(asks(json!(n))).await, "last")?;
        if value != json!("even") {
            std::panic::resume_unwind(Box::new(format!("request {n} is believed to be {value}")));
        }
        Ok(())
    }

    pub async fn charge(self, key: &'static str) -> Result<Value, String> {
        let config = RunConfig { idempotency_key: Some(key.to_owned()), ..asks(json!(key)) };
        answer(self.charging.run(config).await, "last")
    }

    /// A request that is dropped before it ends.
    pub async fn abandon(self, key: &'static str) {
        let _ = tokio::time::timeout(SOON / 2, self.charge(key)).await;
    }

    /// A run that opens a connection and has it closed at its end.
    pub fn opens_and_closes(self) -> ((Effects, Effects), impl Future<Output = ()>) {
        let (opened, closed) = (Effects::new("opened"), Effects::new("closed"));
        let (opens, closes) = (opened.clone(), closed.clone());
        let open = stage("open", move |ctx| {
            let (opens, closes) = (opens.clone(), closes.clone());
            async move {
                opens.record("connection");
                ctx.on_cleanup(move || closes.record("connection"));
                sleep(SOON).await;
                Ok(keep(json!(null)))
            }
        });
        let graph = self.of(vec![open, stage("last", |_| async { Ok(keep(json!(null))) }).after("open")]);
        let run = async move {
            graph.build().unwrap().run(RunConfig::default()).await;
        };
        ((opened, closed), run)
    }

    /// Books a room and a flight through tools, with undo.
    pub async fn books(self, faults: Faults) -> Booked {
        let booked = Arc::new(Mutex::new(Booked::default()));
        let last = stage("last", |ctx| async move {
            ctx.call_tool("room").await?;
            ctx.call_tool("flight").await?;
            ctx.call_tool("car").await?;
            Ok(keep(json!(null)))
        });
        let mut graph = self.of(vec![last]);
        for name in ["room", "flight", "car"] {
            graph = graph.tool(ToolDef::new(name, Booking(name)).undoable(true));
        }
        let resources = Resources::new((faults, Arc::clone(&booked)));
        let config = RunConfig { resources, undo_on_failure: true, ..RunConfig::default() };
        let result = graph.build().unwrap().run(config).await;
        let mut booked = booked.lock().unwrap().clone();
        if result.succeeded() {
            booked.done.clear();
        }
        booked.done.sort();
        booked.undone.sort();
        booked
    }

    /// All that a tenant sees.
    pub async fn echo(self, canary: String) -> Result<String, String> {
        let result = self.graph.run(asks(json!(canary))).await;
        Ok(format!("{:?}", result.outputs))
    }

    pub fn held(&self) -> f64 {
        self.graph.active_runs() as f64
    }

    pub async fn turn(self, n: u64) -> Result<(), String> {
        answer(self.graph.run(asks(json!(n))).await, "last").map(drop)
    }

    pub async fn search(self, faults: Faults, query: u64) -> Result<Value, String> {
        let look_up = stage("last", |ctx| async move {
            let faults = ctx.resources().get::<Faults>().expect("every run has one").clone();
            let query = ctx.snapshot().data()["value"].clone();
            let hits = faults.site("index").run(|| async { Ok::<_, InjectedError>(json!([query])) }).await;
            hits.map(keep).map_err(|error| failed(ErrorKind::Transient, error))
        });
        let graph = self.of(vec![look_up.kind(Kind::Enrich)]).build().unwrap();
        let config = RunConfig { resources: Resources::new(faults), ..asks(json!(query)) };
        answer(graph.run(config).await, "last")
    }

    /// Sends a letter under its key; as long as it is not delivered the run fails.
    pub async fn sends(self, faults: Faults) {
        let _ = self.send(&faults).await;
    }

    async fn send(&self, faults: &Faults) -> Result<Value, String> {
        let last = stage("last", |ctx| async move {
            let (faults, delivered) =
                ctx.resources().get::<(Faults, Arc<Mutex<Vec<String>>>)>().expect("every run has them");
            let sent = faults.site("link").run(|| async { Ok::<_, InjectedError>(()) }).await;
            sent.map_err(|error| failed(ErrorKind::Permanent, error))?;
            delivered.lock().unwrap().push("letter".to_owned());
            Ok(keep(json!("sent")))
        });
        let resources = Resources::new((faults.clone(), self.delivered.clone()));
        let config =
            RunConfig { idempotency_key: Some("letter".to_owned()), resources, ..RunConfig::default() };
        answer(self.kept("letters", last).run(config).await, "last")
    }

    /// Whether the letter is there, after sending it once more under its key.
    pub async fn sent(self) -> Result<(), String> {
        self.send(&Faults::none()).await?;
        match self.delivered.lock().unwrap().len() {
            1 => Ok(()),
            n => Err(format!("delivered {n} times")),
        }
    }

    pub fn fresh(&self) -> impl Future<Output = Result<Shop, String>> + use<> {
        let fresh = Shop::new(self.defects);
        async move { Ok(fresh) }
    }

    /// Runs of which every second one fails, behind a breaker that opens at two failures in a row: how many got through.
    pub async fn trips(&self) -> usize {
        let last = stage("last", |ctx| async move {
            match ctx.snapshot().data()["value"].as_u64() {
                Some(n) if n % 2 == 1 => Err(failed(ErrorKind::Permanent, "odd")),
                _ => Ok(keep(json!("even"))),
            }
        });
        let graph = self.kept("trips", last);
        let breaker = Some(BreakerPolicy { failures: 2, reset: Duration::from_secs(3_600) });
        let mut through = 0;
        for n in 0..4 {
            let ended = graph.run(RunConfig { breaker, ..asks(json!(n)) }).await;
            through += usize::from(ended.succeeded());
        }
        through
    }

    pub async fn takes_for_seven(self, value: Value) -> Result<bool, String> {
        let seven = stage("last", |_| async { Ok(keep(json!(null))) }).when("echo", "value", json!(7));
        let echo = stage("echo", |ctx| async move { Ok(keep(ctx.snapshot().data()["value"].clone())) });
        let result = self.of(vec![echo, seven]).build().unwrap().run(asks(value)).await;
        Ok(result.outputs.get("last").is_some_and(|output| output.status == miniflow::Status::Ok))
    }

    pub async fn refuses(self, text: &'static str) -> Result<bool, String> {
        let guard = stage("last", |ctx| async move {
            let snapshot = ctx.snapshot();
            let text = snapshot.data()["value"].as_str().unwrap_or_default();
            if text.chars().all(char::is_alphanumeric) {
                return Ok(keep(json!(null)));
            }
            Err(failed(ErrorKind::Permanent, format!("{text:?} is hostile")))
        });
        let result = self.of(vec![guard.kind(Kind::Guard)]).build().unwrap().run(asks(json!(text))).await;
        Ok(!result.succeeded())
    }

    pub async fn keeps(self, value: Value) -> Result<String, String> {
        answer(self.graph.run(asks(value)).await, "last").map(|value| value.to_string())
    }

    pub fn encode(&self, value: &Value) -> Result<String, serde_json::Error> {
        Ok(asks(value.clone()).snapshot.encode(self.defects))
    }

    pub fn decode(&self, text: &str) -> Result<Value, serde_json::Error> {
        Snapshot::decode(text)
            .map(|snapshot| snapshot.data().get("value").cloned().unwrap_or(json!("absent")))
    }

    pub async fn corrects_for_ever(self) -> Result<Value, String> {
        let write = stage("write", |_| async { Ok(keep(json!("a draft"))) });
        let check = stage("check", |_| async { Err(failed(ErrorKind::Permanent, "not good enough")) });
        let again =
            GuardRetryPolicy { guard: "check".to_owned(), retry_stage: "write".to_owned(), max_attempts: 3 };
        let graph = self.of(vec![write, check.kind(Kind::Guard).after("write")]).guard_retry(again);
        answer(graph.build().unwrap().run(RunConfig::default()).await, "check")
    }

    /// A run with what is needed to make it again.
    pub async fn recorded(self, value: Value) -> Result<(String, Value), String> {
        let record = self.encode(&value).map_err(|error| error.to_string())?;
        Ok((record, answer(self.graph.run(asks(value)).await, "last")?))
    }

    pub async fn replays(self, record: String) -> Result<Value, String> {
        let snapshot = Snapshot::decode(&record).map_err(|error| error.to_string())?;
        answer(self.graph.run(RunConfig { snapshot, ..RunConfig::default() }).await, "last")
    }
}

/// What was booked as far as the run was told, and what was taken back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Booked {
    pub done: Vec<&'static str>,
    pub undone: Vec<&'static str>,
}

struct Booking(&'static str);

impl Tool for Booking {
    fn call<'a>(&'a self, resources: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            let (faults, booked) =
                resources.get::<(Faults, Arc<Mutex<Booked>>)>().expect("every run has them");
            faults.site("effects").run(|| async { Ok::<_, String>(()) }).await?;
            booked.lock().unwrap().done.push(self.0);
            Ok(())
        })
    }

    fn undo<'a>(&'a self, resources: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            let (_, booked) = resources.get::<(Faults, Arc<Mutex<Booked>>)>().expect("every run has them");
            booked.lock().unwrap().undone.push(self.0);
            Ok(())
        })
    }
}
