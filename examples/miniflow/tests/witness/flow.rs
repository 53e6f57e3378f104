//! Graphs, failures, cancelling, outputs, retry.

use std::time::Duration;

use miniflow::Defect::*;
use miniflow::{CancelToken, ErrorKind, Kind, RetryPolicy, RunConfig, Status};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::lab::{Do, Lab, Scenario, data};

fn retry(attempts: u32, first: u64, longest: u64) -> RunConfig {
    let (first_wait, longest_wait) = (Duration::from_millis(first), Duration::from_millis(longest));
    RunConfig {
        retry: RetryPolicy { max_attempts: attempts, first_wait, longest_wait },
        ..RunConfig::default()
    }
}

fn nothing() -> RunConfig {
    RunConfig::default()
}

/// Two hundred and fifty-eight stages and one that joins them.
async fn wide(lab: Lab) {
    const WIDTH: usize = 258;
    let names: Vec<&'static str> =
        (0..WIDTH).map(|n| &*Box::leak(format!("n{n}").into_boxed_str())).collect();
    let quiet = Lab::quiet(lab.defects);
    let mut graph = lab.graph();
    for name in &names {
        graph = graph.stage(quiet.stage(name, 0, Do::Ok(json!({ "k": 1 }))));
    }
    let mut join = lab.counting("join", names.clone());
    for name in names {
        join = join.after(name);
    }
    let graph = graph.stage(join).build().unwrap();
    lab.run(&graph, nothing()).await;
}

pub const WIDE: Scenario = Scenario {
    name: "many dependencies",
    body: |lab| Box::pin(wide(lab)),
    right: "join sees 258; Ok",
    shows: &[DependencyCountWraps, LostUpdateInBag],
};

pub const SCENARIOS: &[Scenario] = &[
    WIDE,
    Scenario {
        name: "two stages of one name",
        body: |lab| {
            Box::pin(async move {
                let two = lab.graph().stage(lab.stage("a", 0, Do::Ok(json!({})))).stage(lab.stage(
                    "a",
                    0,
                    Do::Panic,
                ));
                lab.say(format!("{:?}", two.build().is_err()));
            })
        },
        right: "true",
        shows: &[DuplicateStageReplaces],
    },
    Scenario {
        name: "an unknown dependency",
        body: |lab| {
            Box::pin(async move {
                let one = lab.graph().stage(lab.stage("a", 0, Do::Panic).after("b"));
                lab.say(format!("{:?}", one.build().is_err()));
            })
        },
        right: "true",
        shows: &[UnknownDependencyIgnored],
    },
    Scenario {
        name: "a cycle",
        body: |lab| {
            Box::pin(async move {
                let stage = |name, after| lab.stage(name, 0, Do::Panic).after(after);
                lab.say(format!(
                    "{:?}",
                    lab.graph().stage(stage("a", "b")).stage(stage("b", "a")).build().is_err()
                ));
            })
        },
        right: "true",
        shows: &[CyclesAccepted],
    },
    Scenario {
        name: "a deep chain, declared backwards",
        body: |lab| {
            Box::pin(async move {
                let name = |n: usize| -> &'static str { Box::leak(format!("s{n}").into_boxed_str()) };
                let mut graph = lab.graph();
                for n in (1..600).rev() {
                    graph = graph.stage(lab.stage(name(n), 0, Do::Ok(json!({}))).after(name(n - 1)));
                }
                lab.say(format!("{:?}", graph.stage(lab.stage("s0", 0, Do::Ok(json!({})))).build().is_ok()));
            })
        },
        right: "true",
        shows: &[CycleCheckRecurses],
    },
    Scenario {
        name: "skips and conditions",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("skip", 0, Do::End(Status::Skip)))
                    .stage(lab.stage("then", 1, Do::Ok(json!({ "k": "7" }))).after("skip"))
                    .stage(lab.stage("number", 2, Do::Panic).when("then", "k", json!(7)))
                    .stage(lab.stage("absent", 2, Do::Panic).when("then", "other", json!(7)))
                    .stage(lab.stage("last", 3, Do::Ok(json!({}))).after("then"))
                    .build()
                    .unwrap();
                lab.told(&graph, nothing(), &["skipped"]).await;
            })
        },
        right: "skip; then; last; Ok; events: stage.skipped absent, stage.skipped number, stage.skipped skip",
        shows: &[SkipBlocksDependents, MissingConditionHolds, ConditionsCompareText, SkipsAreNotTold],
    },
    Scenario {
        name: "an enriching stage fails",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 0, Do::End(Status::Fail)).kind(Kind::Enrich))
                    .stage(lab.stage("b", 0, Do::Ok(json!({}))).after("a"))
                    .build()
                    .unwrap();
                lab.run(&graph, nothing()).await;
            })
        },
        right: "a; Failed (stage a failed: so it ends)",
        shows: &[FailedEnrichIsOk, FailedStageIsTolerated, ErrorTextIsLost],
    },
    Scenario {
        name: "a stage fails beside a slow one",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 1, Do::End(Status::Fail)))
                    .stage(lab.stage("slow", 50, Do::Cleanup("closed")))
                    .build()
                    .unwrap();
                lab.told(&graph, nothing(), &["failed", "completed", "cancelled"]).await;
            })
        },
        right: "a; closed; Failed (stage a failed: so it ends); events: pipeline.failed, stage.cancelled slow, stage.failed a",
        shows: &[
            FailedRunLeavesSiblings,
            FailuresAreToldAsCompleted,
            NoCleanupAfterFailure,
            StoppedStagesAreNotTold,
        ],
    },
    Scenario {
        name: "a stage panics",
        body: |lab| {
            Box::pin(async move {
                let graph = lab.graph().stage(lab.stage("a", 0, Do::Panic)).build().unwrap();
                lab.run(&graph, nothing()).await;
            })
        },
        right: "a; Failed (stage a: the stage panicked: it panics)",
        shows: &[PanicIsSwallowed, PanicIsNeverJoined],
    },
    Scenario {
        name: "nobody waits any more",
        body: |lab| {
            Box::pin(async move {
                let graph = lab.graph().stage(lab.stage("slow", 50, Do::Cleanup("closed"))).build().unwrap();
                let _ = timeout(Duration::from_millis(10), graph.run(nothing())).await;
                lab.say("left");
            })
        },
        right: "closed; left",
        shows: &[AbandonedStagesGoOn, NoCleanupWhenAbandoned],
    },
    Scenario {
        name: "cancelled from outside",
        body: |lab| {
            Box::pin(async move {
                let graph = lab.graph().stage(lab.stage("slow", 50, Do::Cleanup("closed"))).build().unwrap();
                let cancel = CancelToken::new();
                let config = RunConfig { cancel: cancel.clone(), ..nothing() };
                let cancelling = async {
                    sleep(Duration::from_millis(10)).await;
                    cancel.cancel();
                };
                tokio::join!(lab.run(&graph, config), cancelling);
            })
        },
        right: "closed; Cancelled (cancelled from outside)",
        shows: &[CancelIsIgnored, CancelWaitsForStages, CancelledRunIsOk, NoCleanupAfterCancel],
    },
    Scenario {
        name: "a stage takes too long, twice",
        body: |lab| {
            Box::pin(async move {
                let slow = lab.stage("slow", 50, Do::Ok(json!({}))).timeout(Duration::from_millis(10));
                let graph = lab.graph().stage(slow).build().unwrap();
                lab.told(&graph, retry(2, 1, 1), &["retrying"]).await;
            })
        },
        right: "Failed (stage slow: stage slow took longer than 10ms); events: stage.retrying slow",
        shows: &[
            StageTimeoutDetaches,
            StageTimeoutIsOk,
            TimeoutInSeconds,
            TimeoutOnFirstAttemptOnly,
            TimeoutsNotRetried,
        ],
    },
    Scenario {
        name: "a look-up",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 9, Do::Ok(json!({ "k": "a" }))))
                    .stage(lab.stage("b", 0, Do::Ok(json!({ "k": "b" }))))
                    .stage(lab.stage("c", 0, Do::LookUp).after("a").after("b"))
                    .build()
                    .unwrap();
                let result = lab.run(&graph, nothing()).await;
                lab.say(result.outputs["c"].data["k"].to_string());
            })
        },
        right: "b; a; c; Ok; \"a\"",
        shows: &[LookUpByCompletion],
    },
    Scenario {
        name: "an output is edited",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 0, Do::Ok(json!({ "k": [] }))))
                    .stage(lab.stage("b", 0, Do::Edit("a")).after("a"))
                    .build()
                    .unwrap();
                let result = lab.run(&graph, nothing()).await;
                lab.say(format!("{} {}", json!(result.outputs["a"].data), json!(result.outputs["b"].data)));
            })
        },
        right: "a; b; Ok; {\"k\":[]} {\"k\":[\"added\"]}",
        shows: &[OutputsAreShared],
    },
    Scenario {
        name: "values",
        body: |lab| {
            Box::pin(async move {
                let values =
                    json!({ "number": 9_007_199_254_740_993_u64, "text": "x".repeat(2000), "null": null });
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 0, Do::Ok(values)))
                    .stage(lab.stage("empty", 1, Do::Ok(json!({}))))
                    .build()
                    .unwrap();
                let result = lab.run(&graph, nothing()).await;
                let a = &result.outputs["a"].data;
                lab.say(format!(
                    "{:?} {} {:?}",
                    a["number"].as_u64(),
                    a["text"].as_str().unwrap().len(),
                    a.get("null")
                ));
                lab.say(format!(
                    "{:?} {:?}",
                    result.outputs.contains_key("empty"),
                    result.snapshot.data().len()
                ));
            })
        },
        right: "a; empty; Ok; Some(9007199254740993) 2000 Some(Null); true 0",
        shows: &[
            OutputNumbersAreFloats,
            LongTextIsCut,
            NullOutputsDropped,
            EmptyOutputIsNothing,
            OutputsLeakIntoSnapshot,
        ],
    },
    Scenario {
        name: "a stage heals",
        body: |lab| {
            Box::pin(async move {
                let flaky = lab.stage("a", 0, Do::Flaky(3, ErrorKind::Transient));
                let graph = lab.graph().stage(flaky).build().unwrap();
                let began = tokio::time::Instant::now();
                lab.told(&graph, retry(5, 10, 100), &["retrying", "completed"]).await;
                lab.say(format!("{} ms", began.elapsed().as_millis()));
            })
        },
        right: "a; a; a; a; Ok; events: pipeline.completed, stage.completed a, stage.retrying a, stage.retrying a, stage.retrying a; 71 ms",
        shows: &[RetriesOnce, NoBackOff, BackOffDoesNotGrow, RetriesAreNotTold, CompletionsAreNotTold],
    },
    Scenario {
        name: "a stage does not heal",
        body: |lab| {
            Box::pin(async move {
                let graph =
                    lab.graph().stage(lab.stage("a", 0, Do::Raise(ErrorKind::Transient))).build().unwrap();
                let began = tokio::time::Instant::now();
                lab.run(&graph, retry(4, 10, 20)).await;
                lab.say(format!("{} ms", began.elapsed().as_millis()));
            })
        },
        right: "a; a; a; a; Failed (stage a: raised); 50 ms",
        shows: &[RetriesOnceTooOften, BackOffWithoutLimit, ExhaustedRetryIsOk],
    },
    Scenario {
        name: "a permanent error",
        body: |lab| {
            Box::pin(async move {
                let graph =
                    lab.graph().stage(lab.stage("a", 0, Do::Raise(ErrorKind::Permanent))).build().unwrap();
                lab.run(&graph, retry(4, 1, 1)).await;
            })
        },
        right: "a; Failed (stage a: raised)",
        shows: &[RetriesPermanentErrors],
    },
    Scenario {
        name: "a stage asks to be run again",
        body: |lab| {
            Box::pin(async move {
                let asks = lab.stage("a", 0, Do::FlakyStatus(1, Status::Retry));
                let graph = lab.graph().stage(asks).build().unwrap();
                lab.run(&graph, retry(2, 1, 1)).await;
            })
        },
        right: "a; a; Ok",
        shows: &[RetryTakenForOk],
    },
    Scenario {
        name: "attempts of two runs",
        body: |lab| {
            Box::pin(async move {
                let graph =
                    lab.graph().stage(lab.stage("a", 0, Do::Flaky(1, ErrorKind::Transient))).build().unwrap();
                lab.run(&graph, retry(2, 1, 1)).await;
                lab.run(&graph, retry(2, 1, 1)).await;
            })
        },
        right: "a; a; Ok; a; a; Ok",
        shows: &[RetriesCountAcrossRuns],
    },
    Scenario {
        name: "cancelled between attempts",
        body: |lab| {
            Box::pin(async move {
                let graph =
                    lab.graph().stage(lab.stage("a", 0, Do::Raise(ErrorKind::Transient))).build().unwrap();
                let cancel = CancelToken::new();
                let config = RunConfig { cancel: cancel.clone(), ..retry(2, 100, 100) };
                let cancelling = async {
                    sleep(Duration::from_millis(10)).await;
                    cancel.cancel();
                };
                tokio::join!(lab.run(&graph, config), cancelling);
            })
        },
        right: "a; Cancelled (cancelled from outside)",
        shows: &[BackOffIgnoresCancel],
    },
    Scenario {
        name: "runs at once",
        body: |lab| {
            Box::pin(async move {
                let graph = lab
                    .graph()
                    .stage(lab.stage("a", 10, Do::Cleanup("first closed")))
                    .stage(lab.stage("b", 10, Do::Cleanup("second closed")).after("a"))
                    .stage(lab.quiet_stage("who", 0, Do::Input))
                    .stage(lab.quiet_stage("waits", 5, Do::Ok(json!({}))).after("who"))
                    .stage(lab.stage("reads", 0, Do::Read("who")).after("who").after("waits"))
                    .build()
                    .unwrap();
                let with = |k: Value| RunConfig {
                    snapshot: miniflow::Snapshot::new(data(json!({ "k": k }))),
                    ..nothing()
                };
                let late = async {
                    sleep(Duration::from_millis(3)).await;
                    lab.identified(&graph, with(json!(2))).await
                };
                tokio::join!(lab.identified(&graph, with(json!(1))), late);
                lab.say(format!("{} active", graph.active_runs()));
            })
        },
        right: "reads; reads reads {\"k\":1}; reads; reads reads {\"k\":2}; a; a; b; second closed; first closed; \
                Ok, ids of its events: 1, of its log: 1; b; second closed; first closed; \
                Ok, ids of its events: 1, of its log: 1; 0 active",
        shows: &[
            BagIsShared,
            CleanupsAreShared,
            CleanupForgetsLast,
            CleanupInOrder,
            NoCleanupAfterSuccess,
            RunIdOfTheLatestRun,
            LogsWithoutRunId,
            FinishedRunsAreKept,
        ],
    },
];
