//! CHAOS-008, malformed responses: an answer that breaks off or is no JSON is an error that names where it came from, and never an
//! empty result.
//!
//! To adapt: put your client behind a port with `.text()`, so that your own parser meets the damaged text.
//!
//! Red with: `FailedEnrichIsOk`, `ErrorTextIsLost`.

use miniflow::{Graph, Kind, Resources, RunConfig};
use serde_json::Value;
use stageflow_stress::fault::{FaultKind, Faults, InjectedError};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{graph, output, permanent, stage};

const ANSWER: &str = r#"{"article":"tea","cents":250,"note":"none left behind"}"#;

fn enriching() -> Outcome<Graph> {
    let enrich = stage("enrich", |ctx| async move {
        let faults = ctx.resources().get::<Faults>().ok_or_else(|| permanent("there is no supplier"))?;
        let supplier =
            faults.port("supplier", |()| async { Ok::<_, InjectedError>(ANSWER.to_owned()) }).text();
        let text = supplier.call(()).await.map_err(permanent)?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|error| permanent(format!("the supplier's answer: {error}")))?;
        Ok(output([("answer", answer)]))
    });
    Ok(graph("enriching").stage(enrich.kind(Kind::Enrich)).build()?)
}

#[roadmap_test("CHAOS-008", category = SilentFailures, pipeline = Adversarial, oracle(Schema, Observability))]
async fn a_malformed_answer_is_an_error_with_a_name(cx: &TestContext) -> Outcome {
    let graph = enriching()?;
    let run = |faults: Faults| {
        let graph = graph.clone();
        async move {
            let result =
                graph.run(RunConfig { resources: Resources::new(faults), ..RunConfig::default() }).await;
            if result.succeeded() {
                Ok(result.outputs["enrich"].data.get("answer").cloned().unwrap_or_default())
            } else {
                Err(result.error.unwrap_or_default())
            }
        }
    };
    let right: Value = serde_json::from_str(ANSWER)?;
    let arms =
        scenario::fault_sweep([FaultKind::Malformed, FaultKind::Truncated, FaultKind::Cut], run, |arm| {
            match &arm.result {
                Ok(answer) if arm.plan.is_empty() && *answer == right => Ok(()),
                Ok(answer) => Err(format!("a success with {answer}")),
                Err(error) if error.contains("supplier") => Ok(()),
                Err(error) => Err(format!("an error that does not say where it comes from: {error}")),
            }
        })
        .await?;
    cx.check_eq("each kind of damage was met", arms.len(), 3);
    Ok(())
}
