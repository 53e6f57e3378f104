//! CHAOS-009, schema violation: each constraint that is violated is reported with the name of its field, and valid data still passes.
//!
//! To adapt: put your own schema or typed contract in place of miniflow's. Take examples of both kinds: a contract that refuses
//! everything would pass a test with invalid ones only.
//!
//! Red with: `ContractOnlyWarns`, `ContractChecksPresenceOnly`, `OptionalFieldsUnchecked`, `ErrorTextIsLost`.

use miniflow::{Contract, Graph, Resources, RunConfig, Type};
use serde_json::{Value, json};
use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Faults, InjectedError, Schedule};
use stageflow_stress::oracle::contract;
use stageflow_stress::prelude::*;

use crate::support::{graph, permanent, stage};

/// A stage that returns what the port `model` gives it, under a contract with an optional field.
fn answering() -> Outcome<Graph> {
    let promised = Contract::default()
        .field("cents", Type::Integer)
        .field("currency", Type::Text)
        .optional("note", Type::Text);
    let answer = stage("answer", |ctx| async move {
        let (faults, value) =
            ctx.resources().get::<(Faults, Value)>().ok_or_else(|| permanent("no model"))?;
        let model = faults.port("model", |value: Value| async move { Ok::<_, InjectedError>(value) }).json();
        match model.call(value.clone()).await {
            Ok(Value::Object(data)) => Ok(miniflow::Output::ok(data)),
            Ok(other) => Err(permanent(format!("the model answers {other}"))),
            Err(error) => Err(permanent(error)),
        }
    });
    Ok(graph("answering").stage(answer.contract(promised)).build()?)
}

/// The error with which an answer is refused; none where it passes.
async fn refusal(graph: &Graph, faults: Faults, value: &Value) -> Option<String> {
    let resources = Resources::new((faults, value.clone()));
    let result = graph.run(RunConfig { resources, ..RunConfig::default() }).await;
    (!result.succeeded()).then(|| result.error.unwrap_or_default())
}

#[roadmap_test("CHAOS-009", category = SilentFailures, pipeline = Adversarial, oracle = Schema)]
async fn each_violation_is_refused_by_its_name(cx: &TestContext) -> Outcome {
    let graph = answering()?;
    let valid = json!({ "cents": 250, "currency": "EUR", "note": "soon" });

    for (kind, field) in [
        (FaultKind::MissingField, "cents"),
        (FaultKind::MissingField, "currency"),
        (FaultKind::NullField, "cents"),
        (FaultKind::NullField, "currency"),
        (FaultKind::WrongType, "cents"),
        (FaultKind::WrongType, "currency"),
        (FaultKind::WrongType, "note"),
    ] {
        let fault = Fault::new("model", kind, Schedule::Nth(1)).path(format!("/{field}"));
        let faults = cx.faults(FaultPlan::new().with(fault));
        let refused = refusal(&graph, faults, &valid).await;
        let named = refused.as_ref().is_some_and(|error| error.contains(&format!("`{field}`")));
        cx.check(&format!("{kind} at `{field}` is refused by its name"), named);
    }

    let accepted = [valid, json!({ "cents": 0, "currency": "" })];
    let rejected =
        [json!({}), json!({ "cents": "250", "currency": "EUR" }), json!({ "cents": 1, "currency": 2 })];
    let mut passed = Vec::new();
    for value in accepted.iter().chain(&rejected) {
        if refusal(&graph, Faults::none(), value).await.is_none() {
            passed.push(value.clone());
        }
    }
    let checked = contract(&accepted, &rejected, |value| passed.contains(value));
    cx.verdict("the contract accepts what it must and rejects the rest", &checked);
    Ok(())
}
