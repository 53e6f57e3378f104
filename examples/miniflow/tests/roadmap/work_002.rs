//! WORK-002, idempotency guarantees: a request that comes 500 times at once, and again later, is one request with one effect and
//! one answer; another request is another one, however alike their keys are; and a key that is used again for another request is
//! refused, without an effect and without harm to the first.
//!
//! To adapt: put your own WORK stage in place of `charge` and have it record its effect where it acts, next to the call that costs
//! money. `duplicate_storm` counts effects and compares answers; `exactly_once` settles each key. Of the last part, ask your own
//! facility: it is what the IETF draft of `Idempotency-Key` answers with status 422.
//!
//! Red with: `StoreOfEachRun`, `CheckThenAct`, `KeyHoldsOneStage`, `KeyIsCut`, `KeyHoldsForAnyRequest`.

use std::time::Duration;

use miniflow::{Graph, Kind, RunConfig, Snapshot};
use serde_json::{Value, json};
use stageflow_stress::effects::Effects;
use stageflow_stress::oracle::{Acknowledged, exactly_once};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{data, graph, output, stage};

fn shop(charges: &Effects) -> Outcome<Graph> {
    let charges = charges.clone();
    let reserve = stage("reserve", |_| async { Ok(output([("reserved", json!(3))])) });
    let charge = stage("charge", move |ctx| {
        let charges = charges.clone();
        async move {
            // The moment in which a second request finds nothing yet.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let order = ctx.snapshot().data()["order"].clone();
            charges.record(order.as_str().unwrap_or_default());
            Ok(output([("receipt", order)]))
        }
    });
    Ok(graph("shop")
        .stage(reserve.kind(Kind::Work))
        .stage(charge.kind(Kind::Work).after("reserve"))
        .build()?)
}

/// Orders something under a key.
async fn order(shop: Graph, key: &str, order: &str) -> Result<Option<Value>, String> {
    let config = RunConfig {
        snapshot: Snapshot::new(data([("order", json!(order))])),
        idempotency_key: Some(key.to_owned()),
        ..RunConfig::default()
    };
    let result = shop.run(config).await;
    if !result.succeeded() {
        return Err(result.error.unwrap_or_default());
    }
    Ok(result.outputs.get("charge").and_then(|charge| charge.data.get("receipt")).cloned())
}

#[roadmap_test("WORK-002", category = SilentFailures, pipeline = Stress, oracle(Idempotency, SideEffect))]
async fn a_repeated_order_is_one_order(cx: &TestContext) -> Outcome {
    let charges = cx.effects("charges");
    let shop = shop(&charges)?;
    let first = "order-2026-000001";
    let receipt = scenario::duplicate_storm(500, &charges, || order(shop.clone(), first, first)).await?;
    cx.check_eq("the answer is the receipt of the order", receipt, Some(json!(first)));

    let mut requests = vec![(first.to_owned(), Acknowledged::Done)];
    for key in [first, "order-2026-000002", "order-2026-000003", "order-2026-000002"] {
        let told = order(shop.clone(), key, key).await;
        cx.check(&format!("{key} is taken"), told.is_ok());
        let told = if told.is_ok() { Acknowledged::Done } else { Acknowledged::Refused };
        requests.push((key.to_owned(), told));
    }

    // Another request under a key that is taken: told so, and not taken for the first one.
    let refused = order(shop.clone(), first, "order-2026-000004").await;
    cx.check("the same key with another order is refused", refused.is_err());
    requests.push(("order-2026-000004".to_owned(), Acknowledged::Refused));
    let receipt = order(shop, first, first).await;
    cx.check_eq("the first order keeps its receipt", receipt, Ok(Some(json!(first))));
    cx.verdict("each order is charged once", &exactly_once(&requests, &charges.keys()));
    Ok(())
}
