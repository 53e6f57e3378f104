//! A log of what happens, and stages that write into it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{
    Boxed, Data, Defect, Defects, ErrorKind, Event, EventQueue, EventSink, Graph, GraphBuilder, Logger,
    Output, RunConfig, RunResult, StageContext, StageDef, StageError, StageFuture, Status,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

pub struct Scenario {
    pub name: &'static str,
    pub body: fn(Lab) -> Played,
    /// What the log says without defects.
    pub right: &'static str,
    /// Defects that change it.
    pub shows: &'static [Defect],
}

pub type Played = std::pin::Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone)]
pub struct Lab {
    pub defects: Defects,
    log: Arc<Mutex<Vec<String>>>,
}

/// Runs a scenario on a paused clock, and stays for ten seconds of it.
pub fn play(scenario: &Scenario, defects: Defects) -> String {
    let lab = Lab { defects, log: Arc::default() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        if timeout(Duration::from_secs(60), (scenario.body)(lab.clone())).await.is_err() {
            lab.say("hangs");
        }
        sleep(Duration::from_secs(10)).await;
    });
    let log = lab.log.lock().unwrap();
    log.join("; ")
}

/// What a stage does once it has slept and said its name.
#[derive(Clone)]
pub enum Do {
    Ok(Value),
    End(Status),
    Raise(ErrorKind),
    /// Raises on the first attempts, then returns the number of the attempt.
    Flaky(u32, ErrorKind),
    /// As `Flaky`, by status.
    FlakyStatus(u32, Status),
    Panic,
    /// Returns the value that is found under `k`.
    LookUp,
    /// Adds to the list `k` of a dependency.
    Edit(&'static str),
    /// Returns what a dependency returned.
    Read(&'static str),
    /// Returns the snapshot's `k`.
    Input,
    /// Fails if the snapshot's `k` is true.
    FailIfInput,
    Tool(&'static str),
    Child(Graph),
    Cleanup(&'static str),
}

pub fn data(value: Value) -> Data {
    value.as_object().cloned().unwrap_or_default()
}

impl Lab {
    pub fn say(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    pub fn graph(&self) -> GraphBuilder {
        GraphBuilder::new("g").defects(self.defects)
    }

    /// A stage that sleeps, says its name, and does something.
    pub fn stage(&self, name: &'static str, ms: u64, what: Do) -> StageDef {
        let lab = self.clone();
        StageDef::new(name, move |ctx: StageContext| -> StageFuture {
            let (lab, what) = (lab.clone(), what.clone());
            Box::pin(async move {
                if let Do::Cleanup(text) = what {
                    let lab = lab.clone();
                    ctx.on_cleanup(move || lab.say(text));
                }
                sleep(Duration::from_millis(ms)).await;
                lab.say(name);
                lab.act(what, &ctx).await
            })
        })
    }

    async fn act(&self, what: Do, ctx: &StageContext) -> Result<Output, StageError> {
        let ok = |value: Value| Ok(Output::ok(data(value)));
        let raise = |kind| Err(StageError::new(kind, "raised"));
        let number = ctx.attempt;
        match what {
            Do::Ok(value) => ok(value),
            Do::End(status) => Ok(Output::ended(status, "so it ends")),
            Do::Raise(kind) => raise(kind),
            Do::Flaky(failures, kind) if number <= failures => raise(kind),
            Do::FlakyStatus(failures, status) if number <= failures => Ok(Output::ended(status, "not yet")),
            Do::Flaky(..) | Do::FlakyStatus(..) => ok(json!({ "k": number })),
            Do::Panic => std::panic::resume_unwind(Box::new("it panics".to_owned())),
            Do::LookUp => ok(json!({ "k": ctx.get("k") })),
            Do::Edit(from) => {
                let edited = ctx.edit(from, |data| data["k"].as_array_mut().unwrap().push(json!("added")));
                Ok(Output::ok(edited.unwrap_or_default()))
            }
            Do::Read(from) => {
                self.say(format!("{} reads {}", ctx.stage(), json!(ctx.output(from))));
                ok(json!({}))
            }
            Do::Input => ok(json!({ "k": ctx.snapshot().data().get("k") })),
            Do::FailIfInput if ctx.snapshot().data().get("k") == Some(&json!(true)) => {
                Ok(Output::ended(Status::Fail, "told to"))
            }
            Do::FailIfInput | Do::Cleanup(_) => ok(json!({})),
            Do::Tool(tool) => {
                ctx.call_tool(tool).await?;
                ok(json!({}))
            }
            Do::Child(graph) => {
                let result = ctx.run_child(&graph).await;
                if result.succeeded() { ok(json!({})) } else { raise(ErrorKind::Permanent) }
            }
        }
    }

    /// Says how a run ended.
    pub fn ended(&self, result: &RunResult) {
        self.say(format!(
            "{:?}{}",
            result.end,
            result.error.as_ref().map_or(String::new(), |e| format!(" ({e})"))
        ));
    }

    /// A lab whose log nobody reads.
    pub fn quiet(defects: Defects) -> Self {
        Lab { defects, log: Arc::default() }
    }

    /// A stage that says nothing.
    pub fn quiet_stage(&self, name: &'static str, ms: u64, what: Do) -> StageDef {
        Lab::quiet(self.defects).stage(name, ms, what)
    }

    /// A stage that says how many of its dependencies it sees.
    pub fn counting(&self, name: &'static str, of: Vec<&'static str>) -> StageDef {
        let lab = self.clone();
        StageDef::new(name, move |ctx: StageContext| -> StageFuture {
            let seen = of.iter().filter(|stage| ctx.output(stage).is_some()).count();
            lab.say(format!("{} sees {seen}", ctx.stage()));
            Box::pin(async { Ok(Output::ok(Data::new())) })
        })
    }

    /// Runs a graph, says how it ended, and which events of the given kinds were told.
    pub async fn told(&self, graph: &Graph, config: RunConfig, kinds: &[&str]) {
        let sink = Arc::new(Seen::default());
        let queue = Arc::new(EventQueue::start(Arc::clone(&sink) as _, 1000, self.defects));
        self.run(graph, RunConfig { events: Some(Arc::clone(&queue)), ..config }).await;
        // Closing may lose an event where that is the defect; here it is not.
        sleep(Duration::from_millis(1)).await;
        queue.close().await;
        let mut told: Vec<String> = sink
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|event| kinds.iter().any(|kind| event.name.ends_with(kind)))
            .map(|event| {
                format!("{} {}", event.name, event.data["stage"].as_str().unwrap_or("")).trim().to_owned()
            })
            .collect();
        told.sort();
        self.say(format!("events: {}", told.join(", ")));
    }

    /// Runs a graph, and says how many identities its events and its log lines carried; none counts as none.
    pub async fn identified(&self, graph: &Graph, config: RunConfig) {
        let sink = Arc::new(Seen::default());
        let queue = Arc::new(EventQueue::start(Arc::clone(&sink) as _, 1000, self.defects));
        let lines = Arc::new(Mutex::new(BTreeSet::new()));
        let taken = Arc::clone(&lines);
        let logger: Logger = Arc::new(move |line| {
            taken.lock().unwrap().extend(line.run_id);
        });
        let config = RunConfig { events: Some(Arc::clone(&queue)), logger: Some(logger), ..config };
        let result = graph.run(config).await;
        sleep(Duration::from_millis(1)).await;
        queue.close().await;
        let ids: BTreeSet<String> =
            sink.0.lock().unwrap().iter().map(|event| event.data["run_id"].to_string()).collect();
        let lines = lines.lock().unwrap().len();
        self.say(format!("{:?}, ids of its events: {}, of its log: {lines}", result.end, ids.len()));
    }

    /// Runs a graph and says how it ended.
    pub async fn run(&self, graph: &Graph, config: RunConfig) -> RunResult {
        let result = graph.run(config).await;
        self.ended(&result);
        result
    }
}

/// A sink that keeps what it takes.
#[derive(Default)]
pub struct Seen(pub Mutex<Vec<Event>>);

impl EventSink for Seen {
    fn take(&self, event: Event) -> Boxed<'_, Result<(), String>> {
        self.0.lock().unwrap().push(event);
        Box::pin(async { Ok(()) })
    }
}
