//! Idempotency, tools, guards, interceptors, breaker, events, children, contracts, snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use miniflow::Defect::*;
use miniflow::{
    Boxed, BreakerPolicy, Contract, Defects, ErrorKind, Event, EventQueue, EventSink, Graph,
    GuardRetryPolicy, Interceptor, Kind, Output, Resources, RunConfig, Snapshot, StageError, Status, Tool,
    ToolDef, Type,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::lab::{Do, Lab, Scenario, data};

fn nothing() -> RunConfig {
    RunConfig::default()
}

fn key(key: &str) -> RunConfig {
    RunConfig { idempotency_key: Some(key.to_owned()), ..nothing() }
}

fn asked(k: Value) -> RunConfig {
    RunConfig { snapshot: Snapshot::new(data(json!({ "k": k }))), ..nothing() }
}

/// A tool that sleeps, says what it does, and fails if told.
struct Says {
    lab: Lab,
    name: &'static str,
    ms: u64,
    fails: bool,
    undo_fails: bool,
}

impl Tool for Says {
    fn call<'a>(&'a self, _: &'a Resources) -> Boxed<'a, Result<(), String>> {
        Box::pin(async {
            sleep(Duration::from_millis(self.ms)).await;
            self.lab.say(self.name);
            if self.fails { Err("broken".to_owned()) } else { Ok(()) }
        })
    }

    fn undo<'a>(&'a self, _: &'a Resources) -> Boxed<'a, Result<(), String>> {
        self.lab.say(format!("undo {}", self.name));
        Box::pin(async { if self.undo_fails { Err("stuck".to_owned()) } else { Ok(()) } })
    }
}

fn tool(lab: &Lab, name: &'static str) -> Says {
    Says { lab: lab.clone(), name, ms: 0, fails: false, undo_fails: false }
}

/// A graph of one stage that calls one tool.
fn calls(lab: &Lab, def: ToolDef) -> Graph {
    lab.graph().tool(def).stage(lab.quiet_stage("calls", 0, Do::Tool("t"))).build().unwrap()
}

/// Two calls that can be undone, the second of which cannot be undone well, and an end.
fn saga(lab: &Lab, end: Do) -> Graph {
    let second = Says { undo_fails: true, ..tool(lab, "second") };
    lab.graph()
        .tool(ToolDef::new("1", tool(lab, "first")).undoable(true))
        .tool(ToolDef::new("2", second).undoable(true))
        .stage(lab.quiet_stage("a", 0, Do::Tool("1")))
        .stage(lab.quiet_stage("b", 0, Do::Tool("2")).after("a"))
        .stage(lab.stage("end", 0, end).after("b"))
        .build()
        .unwrap()
}

fn undone() -> RunConfig {
    RunConfig { undo_on_failure: true, ..nothing() }
}

/// An interceptor that says what it does.
struct Hook {
    lab: Lab,
    name: &'static str,
    before: Option<Result<Output, ()>>,
    after_fails: bool,
}

impl Interceptor for Hook {
    fn before<'a>(&'a self, stage: &'a str) -> Boxed<'a, Result<Option<Output>, StageError>> {
        self.lab.say(format!("{} before {stage}", self.name));
        Box::pin(async {
            match &self.before {
                None => Ok(None),
                Some(Ok(output)) => Ok(Some(output.clone())),
                Some(Err(())) => Err(StageError::new(ErrorKind::Permanent, "no policy")),
            }
        })
    }

    fn after<'a>(&'a self, stage: &'a str) -> Boxed<'a, Result<(), StageError>> {
        self.lab.say(format!("{} after {stage}", self.name));
        Box::pin(async {
            if self.after_fails { Err(StageError::new(ErrorKind::Permanent, "bad output")) } else { Ok(()) }
        })
    }
}

fn hook(lab: &Lab, name: &'static str) -> Hook {
    Hook { lab: lab.clone(), name, before: None, after_fails: false }
}

async fn hooked(lab: &Lab, what: Do, hooks: Vec<Hook>) {
    let graph = lab.graph().stage(lab.stage("a", 0, what)).build().unwrap();
    let interceptors = hooks.into_iter().map(|hook| Arc::new(hook) as Arc<dyn Interceptor>).collect();
    let result = lab.run(&graph, RunConfig { interceptors, ..nothing() }).await;
    lab.say(json!(result.outputs["a"].data).to_string());
}

fn guarded(lab: &Lab, guard: Do, allowed: u32) -> Graph {
    lab.graph()
        .stage(lab.stage("draft", 0, Do::Flaky(0, ErrorKind::Transient)))
        .stage(lab.stage("guard", 0, guard).kind(Kind::Guard).after("draft"))
        .stage(lab.stage("reads", 0, Do::Read("draft")).after("draft").after("guard"))
        .guard_retry(GuardRetryPolicy {
            guard: "guard".to_owned(),
            retry_stage: "draft".to_owned(),
            max_attempts: allowed,
        })
        .build()
        .unwrap()
}

/// Runs of a stage that fails when it is told to, behind a breaker that opens after two failures in a row for 100 ms.
async fn broken(lab: Lab) {
    let graph = lab.graph().stage(lab.stage("a", 0, Do::FailIfInput)).build().unwrap();
    for (fails, wait) in [(true, 0), (false, 0), (true, 0), (true, 0), (false, 0), (false, 0), (false, 200)] {
        sleep(Duration::from_millis(wait)).await;
        let breaker = Some(BreakerPolicy { failures: 2, reset: Duration::from_millis(100) });
        lab.run(&graph, RunConfig { breaker, ..asked(json!(fails)) }).await;
    }
}

/// A sink that takes its time and refuses the first events.
struct Slow(u64, AtomicU32);

impl EventSink for Slow {
    fn take(&self, _: Event) -> Boxed<'_, Result<(), String>> {
        Box::pin(async {
            sleep(Duration::from_millis(self.0)).await;
            let refuse =
                self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            if refuse { Err("not now".to_owned()) } else { Ok(()) }
        })
    }
}

async fn delivered(lab: &Lab, capacity: usize, slow: u64, refusals: u32) {
    let queue = EventQueue::start(Arc::new(Slow(slow, AtomicU32::new(refusals))), capacity, lab.defects);
    for n in 0..5 {
        queue.emit(Event { name: format!("e{n}"), data: json!({}) });
        tokio::task::yield_now().await;
    }
    let told = queue.close().await;
    lab.say(format!("{} = {} + {} + {}", told.emitted, told.delivered, told.dropped, told.failed));
}

async fn child(lab: &Lab, inner: Do) {
    let child = lab.graph().stage(lab.quiet_stage("a", 20, inner)).build().unwrap();
    let graph = lab
        .graph()
        .stage(lab.quiet_stage("a", 0, Do::Ok(json!({ "k": "parent" }))))
        .stage(lab.quiet_stage("sub", 0, Do::Child(child)).after("a"))
        .stage(lab.quiet_stage("reads", 0, Do::Ok(json!({}))).after("sub"))
        .build()
        .unwrap();
    let result = lab.run(&graph, asked(json!(7))).await;
    lab.say(json!(result.outputs["a"].data).to_string());
}

async fn promised(lab: &Lab, returned: Value) {
    let contract = Contract::default().field("n", Type::Integer).optional("o", Type::Text);
    let stage = lab.quiet_stage("a", 0, Do::Ok(returned)).contract(contract);
    lab.run(&lab.graph().stage(stage).build().unwrap(), nothing()).await;
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a request is repeated",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 0, Do::Ok(json!({}))))
                    .stage(lab.stage("b", 1, Do::Ok(json!({}))).after("a"))
                    .build()
                    .unwrap();
                lab.run(&graph, key("k")).await;
                lab.run(&graph, key("k")).await;
            })
        },
        right: "a; b; Ok; Ok",
        shows: &[StoreOfEachRun, KeyHoldsOneStage],
    },
    Scenario {
        name: "a request arrives twice at once, and another with a key much alike",
        body: |lab| {
            Box::pin(async move {
                let graph = lab.graph().stage(lab.stage("a", 5, Do::Ok(json!({})))).build().unwrap();
                tokio::join!(
                    lab.run(&graph, key("0123456789abcdef-1")),
                    lab.run(&graph, key("0123456789abcdef-1"))
                );
                lab.run(&graph, key("0123456789abcdef-2")).await;
            })
        },
        right: "a; Ok; Ok; a; Ok",
        shows: &[CheckThenAct, KeyIsCut],
    },
    Scenario {
        name: "a key is used again for another request, and for the same",
        body: |lab| {
            Box::pin(async move {
                let graph = lab.graph().stage(lab.stage("a", 0, Do::Ok(json!({})))).build().unwrap();
                for input in [1, 2, 1] {
                    lab.run(&graph, RunConfig { snapshot: asked(json!(input)).snapshot, ..key("k") }).await;
                }
            })
        },
        right: "a; Ok; Failed (the key `k` belongs to another request); Ok",
        shows: &[KeyHoldsForAnyRequest],
    },
    Scenario {
        name: "a request fails, is abandoned, and succeeds",
        body: |lab| {
            Box::pin(async move {
                let graph = lab.graph().stage(lab.stage("a", 5, Do::FailIfInput)).build().unwrap();
                lab.run(&graph, RunConfig { snapshot: asked(json!(true)).snapshot, ..key("k") }).await;
                let _ = timeout(Duration::from_millis(1), graph.run(key("k"))).await;
                lab.run(&graph, key("k")).await;
            })
        },
        right: "a; Failed (stage a failed: told to); a; Ok",
        shows: &[FailuresAreReplayed, AbandonedKeyStaysTaken],
    },
    Scenario {
        name: "consent",
        body: |lab| {
            Box::pin(async move {
                let graph = calls(&lab, ToolDef::new("t", tool(&lab, "acts")).needs_approval(true));
                lab.run(&graph, nothing()).await;
                let no: miniflow::Approver = Arc::new(|_| Box::pin(async { Some(false) }));
                lab.run(&graph, RunConfig { approver: Some(no), ..nothing() }).await;
            })
        },
        right: "Failed (stage calls: the call of `t` was not approved in time); Failed (stage calls: the call of `t` was denied)",
        shows: &[ApprovalIsNotAsked, DenialIsIgnored, SilenceIsConsent],
    },
    Scenario {
        name: "a tool fails, and one takes too long",
        body: |lab| {
            Box::pin(async move {
                let fails = Says { fails: true, ..tool(&lab, "fails") };
                lab.run(&calls(&lab, ToolDef::new("t", fails)), nothing()).await;
                let slow = Says { ms: 50, ..tool(&lab, "slow") };
                lab.run(
                    &calls(&lab, ToolDef::new("t", slow).timeout(Some(Duration::from_millis(5)))),
                    nothing(),
                )
                .await;
            })
        },
        right: "fails; Failed (stage calls: the tool `t` failed: broken); Failed (stage calls: the tool `t` failed: it took too long)",
        shows: &[ToolErrorIsOk, ToolTimeoutDetaches],
    },
    Scenario {
        name: "undo",
        body: |lab| {
            Box::pin(async move {
                lab.run(&saga(&lab, Do::End(Status::Fail)), undone()).await;
                lab.run(&saga(&lab, Do::Ok(json!({}))), undone()).await;
            })
        },
        right: "first; second; end; undo second; undo first; \
                Failed (stage end failed: so it ends; `2` could not be undone: stuck); first; second; end; Ok",
        shows: &[
            UndoTwice,
            UndoInOrderOfCalls,
            UndoStopsAtError,
            UndoForgetsOldest,
            UndoErrorsAreLost,
            UndoAfterSuccess,
        ],
    },
    Scenario {
        name: "a guard raises",
        body: |lab| {
            Box::pin(async move {
                let guard = lab.stage("guard", 0, Do::Raise(ErrorKind::Permanent)).kind(Kind::Guard);
                lab.run(&lab.graph().stage(guard).build().unwrap(), nothing()).await;
            })
        },
        right: "guard; Failed (stage guard: raised)",
        shows: &[GuardErrorPasses],
    },
    Scenario {
        name: "a guard refuses to the end",
        body: |lab| {
            Box::pin(async move {
                lab.run(&guarded(&lab, Do::End(Status::Fail), 2), nothing()).await;
            })
        },
        right: "draft; guard; draft; guard; Failed (stage guard failed: so it ends)",
        shows: &[GuardIsAskedOnceMore, ExhaustedGuardPasses, GuardRetrySkipsTheStage],
    },
    Scenario {
        name: "the output of work that was sent back",
        body: |lab| {
            Box::pin(async move {
                let again = Arc::new(AtomicU32::new(0));
                let says = lab.clone();
                let draft = miniflow::StageDef::new(
                    "draft",
                    move |_: miniflow::StageContext| -> miniflow::StageFuture {
                        let number = again.fetch_add(1, Ordering::Relaxed);
                        says.say(format!("draft {number}"));
                        Box::pin(async move { Ok(Output::ok(data(json!({ "k": number })))) })
                    },
                );
                let refused = Arc::new(AtomicU32::new(0));
                let guard = miniflow::StageDef::new(
                    "guard",
                    move |_: miniflow::StageContext| -> miniflow::StageFuture {
                        let first = refused.fetch_add(1, Ordering::Relaxed) == 0;
                        Box::pin(async move {
                            Ok(if first {
                                Output::ended(Status::Fail, "no")
                            } else {
                                Output::ok(data(json!({})))
                            })
                        })
                    },
                );
                let policy = GuardRetryPolicy {
                    guard: "guard".to_owned(),
                    retry_stage: "draft".to_owned(),
                    max_attempts: 3,
                };
                let graph = lab
                    .graph()
                    .stage(draft)
                    .stage(guard.kind(Kind::Guard).after("draft"))
                    .stage(lab.quiet_stage("reads", 0, Do::Ok(json!({}))).after("guard"))
                    .guard_retry(policy)
                    .build()
                    .unwrap();
                let result = lab.run(&graph, nothing()).await;
                lab.say(json!(result.outputs["draft"].data).to_string());
            })
        },
        right: "draft 0; draft 1; Ok; {\"k\":1}",
        shows: &[FirstOutputStays],
    },
    Scenario {
        name: "interceptors around a stage that fails",
        body: |lab| {
            Box::pin(async move {
                hooked(&lab, Do::Raise(ErrorKind::Permanent), vec![hook(&lab, "outer"), hook(&lab, "inner")])
                    .await;
            })
        },
        right: "outer before a; inner before a; a; inner after a; outer after a; Failed (stage a: raised); {}",
        shows: &[AfterHooksInOrder, AfterHooksOnlyOnSuccess],
    },
    Scenario {
        name: "an interceptor raises before, another after, a third answers",
        body: |lab| {
            Box::pin(async move {
                hooked(&lab, Do::Ok(json!({})), vec![Hook { before: Some(Err(())), ..hook(&lab, "h") }])
                    .await;
                hooked(&lab, Do::Ok(json!({})), vec![Hook { after_fails: true, ..hook(&lab, "h") }]).await;
                let answer = Some(Ok(Output::ok(data(json!({ "k": "answer" })))));
                hooked(&lab, Do::Ok(json!({})), vec![Hook { before: answer, ..hook(&lab, "h") }]).await;
            })
        },
        right: "h before a; Failed (stage a: no policy); {}; \
                h before a; a; h after a; Failed (stage a: bad output); {}; h before a; Ok; {\"k\":\"answer\"}",
        shows: &[BeforeErrorIsIgnored, AfterErrorIsIgnored, AnswerIsLost],
    },
    Scenario {
        name: "a breaker",
        body: |lab| Box::pin(broken(lab)),
        right: "a; Failed (stage a failed: told to); a; Ok; a; Failed (stage a failed: told to); \
                a; Failed (stage a failed: told to); Failed (stage a: the circuit of `a` is open); \
                Failed (stage a: the circuit of `a` is open); a; Ok",
        shows: &[
            OpenBreakerIsOk,
            BreakerClosesItself,
            BreakerNeverOpens,
            BreakerNeverCloses,
            BreakerCountsForEver,
        ],
    },
    Scenario {
        name: "a breaker of another stage",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 0, Do::Ok(json!({}))))
                    .stage(lab.stage("b", 0, Do::End(Status::Fail)).after("a"))
                    .build()
                    .unwrap();
                let breaker = Some(BreakerPolicy { failures: 1, reset: Duration::from_secs(1) });
                for _ in 0..2 {
                    lab.run(&graph, RunConfig { breaker, ..nothing() }).await;
                }
            })
        },
        right: "a; b; Failed (stage b failed: so it ends); a; Failed (stage b: the circuit of `b` is open)",
        shows: &[BreakerIsShared],
    },
    Scenario {
        name: "delivery of events",
        body: |lab| {
            Box::pin(async move {
                delivered(&lab, 2, 10, 0).await;
                delivered(&lab, 10, 0, 2).await;
            })
        },
        right: "5 = 3 + 2 + 0; 5 = 3 + 0 + 2",
        shows: &[StopLosesEventInFlight, DropsAreNotCounted, SinkErrorEndsDelivery],
    },
    Scenario {
        name: "children",
        body: |lab| {
            Box::pin(async move {
                child(&lab, Do::End(Status::Fail)).await;
                child(&lab, Do::Input).await;
            })
        },
        right: "Failed (stage sub: raised); {\"k\":\"parent\"}; Ok; {\"k\":\"parent\"}",
        shows: &[ChildFailureIsOk, ChildWritesIntoParent],
    },
    Scenario {
        name: "the snapshot of a child",
        body: |lab| {
            Box::pin(async move {
                let child = lab.graph().stage(lab.stage("inner", 20, Do::FailIfInput)).build().unwrap();
                let graph = lab.graph().stage(lab.quiet_stage("sub", 0, Do::Child(child))).build().unwrap();
                lab.run(&graph, asked(json!(true))).await;
            })
        },
        right: "inner; Failed (stage sub: raised)",
        shows: &[ChildLosesSnapshot],
    },
    Scenario {
        name: "a child whose parent is left",
        body: |lab| {
            Box::pin(async move {
                let child = lab.graph().stage(lab.stage("inner", 20, Do::Ok(json!({})))).build().unwrap();
                let graph = lab.graph().stage(lab.quiet_stage("sub", 0, Do::Child(child))).build().unwrap();
                let _ = timeout(Duration::from_millis(5), graph.run(nothing())).await;
                lab.say("left");
            })
        },
        right: "left",
        shows: &[ChildIsDetached],
    },
    Scenario {
        name: "contracts",
        body: |lab| {
            Box::pin(async move {
                for returned in
                    [json!({ "n": 1, "o": "x" }), json!({}), json!({ "n": "1" }), json!({ "n": 1, "o": 2 })]
                {
                    promised(&lab, returned).await;
                }
            })
        },
        right: "Ok; Failed (stage a: the contract promises `n`, which is absent); \
                Failed (stage a: the contract promises `n` as Integer, found \"1\"); \
                Failed (stage a: the contract promises `o` as Text, found 2)",
        shows: &[ContractOnlyWarns, ContractChecksPresenceOnly, OptionalFieldsUnchecked],
    },
    Scenario {
        name: "a snapshot is written and read",
        body: |lab| {
            Box::pin(async move {
                let given =
                    Snapshot::new(data(json!({ "n": 9_007_199_254_740_993_u64, "t": "é", "z": null })));
                let read = Snapshot::decode(&given.encode(lab.defects)).unwrap();
                lab.say(format!("{} {}", read == given, given.encode(Defects::NONE).is_ascii()));
            })
        },
        right: "true false",
        shows: &[SnapshotNumbersAreFloats, SnapshotDropsNulls, SnapshotTextIsAscii],
    },
];
