//! CHAOS-006, fuzzing of stage outputs: whatever is done to what a stage returns (a field gone, null, of another type, in another unit,
//! of somebody else, yesterday's), the run fails or its result is right. A clean success with a wrong result is the one thing that
//! must not be.
//!
//! To adapt: let your stage return what a port gave it (`.json()` knows the form), and compare each successful result with the right
//! one. `fault_sweep` makes one run for each kind at each call; a kind that never struck makes it unproven.
//!
//! Red with: `ContractOnlyWarns`, `ContractChecksPresenceOnly`, `GuardErrorPasses`.

use miniflow::{Contract, Graph, Kind, Resources, RunConfig, Snapshot, Type};
use serde_json::{Value, json};
use stageflow_stress::fault::{FaultClass, FaultKind, Faults, InjectedError};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{data, graph, output, permanent, stage};

fn quote(n: u64) -> Value {
    json!({
        "id": format!("order-{n}"), "cents": 250 * n, "currency": "EUR", "on": format!("2026-03-{:02}", 4 + n),
        "lines": ["tea", "cup", "pot"],
    })
}

/// A quote from outside, a guard that compares it with what was asked for, and a receipt that copies it.
fn ordering() -> Outcome<Graph> {
    let promised = Contract::default()
        .field("id", Type::Text)
        .field("cents", Type::Integer)
        .field("currency", Type::Text)
        .field("on", Type::Text)
        .field("lines", Type::List);
    let quoting = stage("quote", |ctx| async move {
        let faults = ctx.resources().get::<Faults>().ok_or_else(|| permanent("there is no supplier"))?;
        let n = ctx.snapshot().data()["n"].as_u64().unwrap_or_default();
        let supplier =
            faults.port("supplier", |n: u64| async move { Ok::<_, InjectedError>(quote(n)) }).json();
        match supplier.call(n).await {
            Ok(Value::Object(quote)) => Ok(miniflow::Output::ok(quote)),
            Ok(other) => Err(permanent(format!("the supplier answers {other}"))),
            Err(error) => Err(permanent(error)),
        }
    });
    // Types are the contract's business; the guard looks at what the values say.
    let check = stage("check", |ctx| async move {
        let n = ctx.snapshot().data()["n"].as_u64().unwrap_or_default();
        let (asked, quoted) = (quote(n), ctx.output("quote").unwrap_or_default());
        for key in ["id", "currency", "on"] {
            if quoted.get(key).and_then(Value::as_str).is_some_and(|value| asked[key] != value) {
                return Err(permanent(format!("`{key}` of the quote is {}", quoted[key])));
            }
        }
        if quoted.get("lines").filter(|lines| lines.is_array()).is_some_and(|lines| *lines != asked["lines"])
        {
            return Err(permanent("the quote is about other lines"));
        }
        if quoted.get("cents").and_then(Value::as_i64).is_some_and(|cents| !(1..=10_000).contains(&cents)) {
            return Err(permanent(format!("a price of {} cents", quoted["cents"])));
        }
        Ok(output([]))
    });
    let bill = stage("bill", |ctx| async move {
        let quoted = ctx.output("quote").unwrap_or_default();
        let copied = ["id", "cents", "currency", "on", "lines"].map(|key| (key, json!(quoted.get(key))));
        Ok(output([("receipt", copied.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())]))
    });
    Ok(graph("ordering")
        .stage(quoting.contract(promised))
        .stage(check.kind(Kind::Guard).after("quote"))
        .stage(bill.kind(Kind::Work).after("quote").after("check"))
        .build()?)
}

#[roadmap_test("CHAOS-006", category = SilentFailures, pipeline = Adversarial, oracle(Schema, StateChange))]
async fn no_mutation_of_an_output_is_a_clean_success(cx: &TestContext) -> Outcome {
    let graph = ordering()?;
    // Two orders in a row: the second can be given the first one's quote.
    let run = |faults: Faults| {
        let graph = graph.clone();
        async move {
            let mut receipts = Vec::new();
            for n in 1..=2_u64 {
                let config = RunConfig {
                    snapshot: Snapshot::new(data([("n", json!(n))])),
                    resources: Resources::new(faults.clone()),
                    ..RunConfig::default()
                };
                let result = graph.run(config).await;
                let receipt = result.outputs.get("bill").map(|bill| bill.data["receipt"].clone());
                receipts.push((n, result.succeeded().then_some(receipt).flatten(), result.error));
            }
            receipts
        }
    };
    let arms = scenario::fault_sweep(FaultKind::of(FaultClass::Semantic), run, |arm| {
        for (n, receipt, error) in &arm.result {
            match receipt {
                Some(receipt) if *receipt != quote(*n) => {
                    return Err(format!("order {n} is a success with {receipt}"));
                }
                None if arm.plan.is_empty() => return Err(format!("order {n} fails: {error:?}")),
                _ => {}
            }
        }
        Ok(())
    })
    .await?;
    let refused =
        arms.iter().filter(|arm| arm.result.iter().any(|(_, receipt, _)| receipt.is_none())).count();
    cx.metric("mutations that were refused", refused as f64, "runs");
    cx.check("most of them are refused", refused * 2 > arms.len());
    Ok(())
}
