//! The five scenarios, one for each pattern, against what miniflow promises its users. None knows a defect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{
    Approver, CancelToken, Contract, Data, End, ErrorKind, Kind, Output, RetryPolicy, RunConfig, Snapshot,
    StageContext, StageDef, StageError, StageFuture, Status, ToolDef, Type,
};
use serde_json::{Value, json};
use stageflow_stress::fault::FaultKind;
use stageflow_stress::prelude::*;
use tokio::time::{sleep, timeout};

use super::lab::{Counted, Lab, TRANSPORT, data, loud, told};

/// Swallowed exceptions: five stages that depend on four ports; whatever fails there, the run says so, and nothing is stored without all of
/// them. A flaky stage gets its attempts, and those are told.
pub async fn swallowed(lab: Lab<'_>) -> Outcome {
    lab.probe.kinds(TRANSPORT);
    let stored = lab.probe.effects("stored");
    let cleaned = lab.probe.effects("cleaned");
    let (kept, swept) = (stored.clone(), cleaned.clone());
    let policy = lab.port("policy", json!({ "allowed": true }));
    let guard = StageDef::new("policy", move |_: StageContext| -> StageFuture {
        let policy = policy.clone();
        Box::pin(async move {
            match policy().await {
                Ok(answer) if answer["allowed"] == true => Ok(Output::ok(Data::new())),
                Ok(_) => Ok(Output::ended(Status::Fail, "denied by policy")),
                Err(error) => Err(super::lab::raised(error)),
            }
        })
    });
    let store = StageDef::new("store", move |ctx: StageContext| -> StageFuture {
        let (kept, swept) = (kept.clone(), swept.clone());
        Box::pin(async move {
            ctx.on_cleanup(move || swept.record("store"));
            let all = ["fetch", "rank", "enrich"].map(|stage| ctx.output(stage).map(Value::Object));
            if all.iter().any(Option::is_none) {
                return Err(StageError::new(ErrorKind::Permanent, "denied: an input is missing"));
            }
            kept.record(json!(all).to_string());
            Ok(Output::ok(Data::from_iter([("stage".to_owned(), json!(ctx.stage()))])))
        })
    });
    let graph = lab
        .graph("swallowed")
        .stage(lab.asks(
            "fetch",
            json!({ "text": "Zoë's order", "cents": 123_456, "share": 0.75, "paid": true, "lines": ["tea"] }),
        ))
        .stage(lab.asks("rank", json!({ "score": 987_654 })).after("fetch"))
        .stage(lab.asks("enrich", json!({ "label": "hot" })).after("fetch").kind(Kind::Enrich))
        .stage(guard.after("rank").kind(Kind::Guard))
        .stage(store.after("policy").after("enrich").after("rank").after("fetch").kind(Kind::Work))
        .build()?;
    let config = RunConfig {
        retry: RetryPolicy { max_attempts: 2, ..RetryPolicy::default() },
        ..RunConfig::default()
    };
    let result = lab.run(&graph, config).await;
    let done = result.outputs.values().filter(|output| output.status == Status::Ok).count();
    lab.probe.always("nothing is stored without every stage", stored.count() == 0 || done >= 4);
    lab.probe.always("what was begun is cleaned up", cleaned.count() >= stored.count());
    lab.probe.always("no run is held", graph.active_runs() == 0);
    loud(&result)?;
    lab.probe.output("swallowed", &told(&result));
    Ok(())
}

/// Incorrect defaults: a branch is chosen by a field of an answer under contract. Without the field there is no choice, and no default.
/// What must be refused is.
pub async fn defaults(lab: Lab<'_>) -> Outcome {
    let contract = Contract::default()
        .field("urgent", Type::Boolean)
        .field("score", Type::Integer)
        .field("label", Type::Text)
        .optional("hint", Type::Text);
    let answer = |text: &'static str| {
        move |_: StageContext| -> StageFuture {
            Box::pin(async move { Ok(Output::ok(Data::from_iter([("text".to_owned(), json!(text))]))) })
        }
    };
    let reply = |ctx: StageContext| -> StageFuture {
        Box::pin(async move {
            // As many do: what is not there counts as nothing.
            let score = ctx.get_from("classify", "score").unwrap_or(json!(0));
            let text = ctx.get("text").unwrap_or(json!(""));
            Ok(Output::ok(Data::from_iter([("score".to_owned(), score), ("text".to_owned(), text)])))
        })
    };
    let graph = lab
        .graph("defaults")
        .stage(
            lab.asks("classify", json!({ "urgent": true, "score": 712_345, "label": "Große Eile" }))
                .contract(contract),
        )
        .stage(StageDef::new("fast", answer("at once")).after("classify").when(
            "classify",
            "urgent",
            json!(true),
        ))
        .stage(StageDef::new("slow", answer("tomorrow")).after("classify").when(
            "classify",
            "urgent",
            json!(false),
        ))
        .stage(StageDef::new("reply", reply).after("classify").after("fast").after("slow"))
        .build()?;
    let result = lab.run(&graph, RunConfig::default()).await;

    let empty = || answer("nothing");
    let refused = [
        lab.graph("twice")
            .stage(StageDef::new("a", empty()))
            .stage(StageDef::new("a", empty()))
            .build()
            .is_err(),
        lab.graph("unknown").stage(StageDef::new("a", empty()).after("b")).build().is_err(),
        lab.graph("cycle")
            .stage(StageDef::new("a", empty()).after("b"))
            .stage(StageDef::new("b", empty()).after("a"))
            .build()
            .is_err(),
    ];
    lab.probe.check_eq("graphs that make no sense are refused", refused, [true; 3]);
    loud(&result)?;
    lab.probe.output("defaults", &told(&result));
    Ok(())
}

/// Partial state: three tools that can be undone, a request that is repeated, one that is denied. Whatever fails, nothing is left.
pub async fn partial(lab: Lab<'_>) -> Outcome {
    let effects = lab.probe.effects("tools");
    let held: Arc<Mutex<BTreeMap<&'static str, i64>>> = Arc::default();
    lab.probe.audit("held", &snapshot(&held));
    let mut graph = lab.graph("partial");
    let names = ["reserve", "charge", "ship"];
    for (at, name) in names.into_iter().enumerate() {
        let port = lab.port(name, json!({ "receipt": "R-2026-17" }));
        let tool = Counted { name, port, held: held.clone(), effects: effects.clone() };
        graph = graph.tool(ToolDef::new(name, tool).undoable(true).needs_approval(name == "charge"));
        let stage = StageDef::new(name, move |ctx: StageContext| -> StageFuture {
            Box::pin(async move {
                ctx.call_tool(name).await?;
                Ok(Output::ok(Data::from_iter([("done".to_owned(), json!(name))])))
            })
        });
        graph = graph.stage(if at == 0 {
            stage.kind(Kind::Work)
        } else {
            stage.kind(Kind::Work).after(names[at - 1])
        });
    }
    let graph = graph.build()?;
    let consent =
        |answer: Option<bool>| -> Approver { Arc::new(move |_: &str| Box::pin(async move { answer })) };
    let request = |key: &str, answer| RunConfig {
        idempotency_key: Some(key.to_owned()),
        approver: Some(consent(answer)),
        undo_on_failure: true,
        ..RunConfig::default()
    };
    let result = lab.run(&graph, request("request-0000000001", Some(true))).await;
    if result.end != End::Ok {
        lab.probe
            .always("nothing is left of a failed order", snapshot(&held).values().all(|held| *held == 0));
        return loud(&result);
    }
    lab.probe
        .always("each tool has acted once", names.iter().all(|name| snapshot(&held).get(*name) == Some(&1)));
    let again = lab.run(&graph, request("request-0000000001", Some(true))).await;
    loud(&again)?;
    lab.probe.check_eq("a repeated request has the same answer", told(&again), told(&result));
    lab.probe.check("and acts once", names.iter().all(|name| snapshot(&held).get(*name) == Some(&1)));
    for answer in [Some(false), None] {
        let key = if answer.is_some() { "request-0000000002" } else { "request-0000000003" };
        let denied = lab.run(&graph, request(key, answer)).await;
        let why = denied.error.as_deref().unwrap_or_default();
        if denied.end == End::Failed && !why.contains("denied") && !why.contains("approved") {
            // It failed before it was denied, and says so.
            return loud(&denied);
        }
        lab.probe.check("what is denied fails", denied.end == End::Failed);
        lab.probe.check("and leaves nothing", snapshot(&held).get("reserve") == Some(&1));
    }
    lab.probe.audit("held", &snapshot(&held));
    lab.probe.output("partial", &told(&result));
    Ok(())
}

fn snapshot(held: &Mutex<BTreeMap<&'static str, i64>>) -> BTreeMap<String, i64> {
    held.lock().unwrap().iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

/// Lossy conversions: values at the edges go through a port, three stages, the snapshot and its written form, and come out as they were.
pub async fn lossy(lab: Lab<'_>) -> Outcome {
    lab.probe.kinds(TRANSPORT);
    let values = json!({
        "id": 9_007_199_254_740_993_u64, "below": -9_007_199_254_740_993_i64, "cents": 3_000_000_000_u64, "share": 0.1,
        "name": "Zoë Müller-Østergård 👩‍🔬", "none": null, "empty": [], "deep": [[["x"]]], "long": "x".repeat(3_000),
    });
    let written = Snapshot::new(data(values.clone())).encode(lab.defects);
    let read = Snapshot::decode(&written)?;
    lab.probe.check_eq(
        "the snapshot comes back as it was",
        Value::Object(read.data().clone()),
        values.clone(),
    );
    let pass = |from: &'static str| {
        move |ctx: StageContext| -> StageFuture {
            Box::pin(async move { Ok(Output::ok(ctx.output(from).unwrap_or_default())) })
        }
    };
    let input = |ctx: StageContext| -> StageFuture {
        Box::pin(async move { Ok(Output::ok(ctx.snapshot().data().clone())) })
    };
    let graph = lab
        .graph("lossy")
        .stage(lab.asks("source", values.clone()))
        .stage(StageDef::new("first", pass("source")).after("source"))
        .stage(StageDef::new("second", pass("first")).after("first"))
        .stage(StageDef::new("input", input))
        .build()?;
    let result = lab.run(&graph, RunConfig { snapshot: read, ..RunConfig::default() }).await;
    loud(&result)?;
    let input = result.outputs.get("input").map(|output| Value::Object(output.data.clone()));
    lab.probe.check_eq("a stage reads the snapshot as it was", input, Some(values.clone()));
    let again = result.outputs.get("source").map(|output| &output.data);
    lab.probe.check(
        "what is passed on is what came",
        result.outputs.get("second").map(|output| &output.data) == again,
    );
    lab.probe.output("lossy", &told(&result));
    let made = lab.probe.effects("requests");
    made.record(written);
    Ok(())
}

/// Asynchronous failures: a branch is slow while another fails, hangs, is cancelled or is dropped. When a run is over, it is over.
pub async fn background(lab: Lab<'_>) -> Outcome {
    lab.probe.kinds([
        FaultKind::Error,
        FaultKind::Panic,
        FaultKind::Hang,
        FaultKind::LostReply,
        FaultKind::Latency,
    ]);
    let acted = lab.probe.effects("acted");
    let late = acted.clone();
    let slow = StageDef::new("tortoise", move |_: StageContext| -> StageFuture {
        let late = late.clone();
        Box::pin(async move {
            sleep(Duration::from_millis(30)).await;
            late.record("tortoise");
            Ok(Output::ok(Data::new()))
        })
    });
    let graph = lab
        .graph("background")
        .stage(
            lab.asks("hare", json!({ "steps": 1_234_567, "name": "Zoë", "share": 0.5, "runs": true }))
                .timeout(Duration::from_millis(20)),
        )
        .stage(slow)
        .stage(
            lab.asks("end", json!({ "winner": "tortoise" }))
                .after("hare")
                .after("tortoise")
                .timeout(Duration::from_millis(20)),
        )
        .build()?;
    let before = acted.count();
    let result = lab.run(&graph, RunConfig::default()).await;

    let cancel = CancelToken::new();
    let stop = cancel.clone();
    let cancelled = RunConfig { cancel, ..RunConfig::default() };
    let (stopped, ()) = tokio::join!(lab.run(&graph, cancelled), async move {
        sleep(Duration::from_millis(10)).await;
        stop.cancel();
    });
    lab.probe.always("a run that is cancelled is not ok", stopped.end != End::Ok);
    let dropped = timeout(Duration::from_millis(10), graph.run(RunConfig::default())).await;
    let ended = dropped.is_ok_and(|result| result.end == End::Ok);
    lab.probe.always("a run that is dropped does not go through", !ended);
    sleep(Duration::from_millis(60)).await;
    lab.probe.always(
        "only a run that went through has acted",
        acted.count() - before == usize::from(acted_in(&result)),
    );
    lab.probe.always("no run is held", graph.active_runs() == 0);
    loud(&result)?;
    lab.probe.output("background", &told(&result));
    Ok(())
}

/// Whether the slow stage of a run had come to its end before the run did.
fn acted_in(result: &miniflow::RunResult) -> bool {
    result.outputs.get("tortoise").is_some_and(|output| output.status == Status::Ok)
}
