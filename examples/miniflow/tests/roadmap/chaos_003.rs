//! CHAOS-003, network partition: writes that were acknowledged while the link was cut are not lost, and after healing both sides
//! agree.
//!
//! To adapt: have your replication, queue or outbox send through `faults.port("link", ..)`, acknowledge as it does, and let `agree`
//! compare the two sides by reading them.
//!
//! Red with: `OutboxForgets`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miniflow::{Graph, Kind, Resources, RunConfig, Snapshot};
use serde_json::json;
use stageflow_stress::fault::{Faults, InjectedError};
use stageflow_stress::oracle::{converged, durable, side_effects};
use stageflow_stress::prelude::*;
use stageflow_stress::scenario;

use crate::support::{data, graph, is_broken, output, permanent, stage};

/// Two copies, and what is still to be sent from the one to the other.
#[derive(Debug, Default)]
struct Ledgers {
    here: Mutex<Vec<u64>>,
    there: Mutex<Vec<u64>>,
    outbox: Mutex<VecDeque<u64>>,
}

impl Ledgers {
    /// Sends what is waiting, in order, as far as the link carries it.
    async fn flush(&self, link: &Faults) -> Result<(), InjectedError> {
        let link = link.port("link", |write: u64| async move {
            self.there.lock().unwrap().push(write);
            Ok::<_, InjectedError>(())
        });
        while let Some(write) = self.first() {
            link.call(write).await?;
            if !is_broken("OutboxForgets") {
                self.outbox.lock().unwrap().pop_front();
            }
        }
        Ok(())
    }

    fn first(&self) -> Option<u64> {
        let mut outbox = self.outbox.lock().unwrap();
        // Taken out before it was sent: what the mistake looks like.
        if is_broken("OutboxForgets") { outbox.pop_front() } else { outbox.front().copied() }
    }
}

/// A stage that writes and acknowledges, and one that replicates as far as it can.
fn writing() -> Outcome<Graph> {
    let write = stage("write", |ctx| async move {
        let ledgers =
            ctx.resources().get::<(Arc<Ledgers>, Faults)>().ok_or_else(|| permanent("no ledgers"))?;
        let number = ctx.snapshot().data()["number"].as_u64().ok_or_else(|| permanent("no number"))?;
        ledgers.0.here.lock().unwrap().push(number);
        ledgers.0.outbox.lock().unwrap().push_back(number);
        Ok(output([("written", json!(number))]))
    });
    let replicate = stage("replicate", |ctx| async move {
        let ledgers =
            ctx.resources().get::<(Arc<Ledgers>, Faults)>().ok_or_else(|| permanent("no ledgers"))?;
        let sent = ledgers.0.flush(&ledgers.1).await;
        Ok(output([("waits", json!(sent.err().map(|error| error.to_string())))]))
    });
    let graph =
        graph("writing").stage(write.kind(Kind::Work)).stage(replicate.kind(Kind::Work).after("write"));
    Ok(graph.build()?)
}

#[roadmap_test("CHAOS-003", category = Reliability, pipeline = Chaos, oracle(Consistency, Durability))]
async fn acknowledged_writes_survive_a_partition(cx: &TestContext) -> Outcome {
    let (graph, ledgers) = (writing()?, Arc::new(Ledgers::default()));
    let acknowledged = Mutex::new(Vec::new());
    let report = scenario::partition_heal(
        "link",
        Duration::from_secs(20),
        |faults| {
            let (graph, ledgers, acknowledged) = (&graph, &ledgers, &acknowledged);
            async move {
                for number in 0..10_u64 {
                    let config = RunConfig {
                        snapshot: Snapshot::new(data([("number", json!(number))])),
                        resources: Resources::new((Arc::clone(ledgers), faults.clone())),
                        ..RunConfig::default()
                    };
                    if graph.run(config).await.succeeded() {
                        acknowledged.lock().unwrap().push(number);
                    }
                }
            }
        },
        || async {
            let _ = ledgers.flush(&Faults::none()).await;
            let (here, there) = (ledgers.here.lock().unwrap().clone(), ledgers.there.lock().unwrap().clone());
            if here == there { Ok(()) } else { Err(format!("here {here:?}, there {there:?}")) }
        },
    )
    .await?;
    cx.metric("calls that met the cut link", report.delivered as f64, "calls");

    let acknowledged = acknowledged.into_inner().unwrap();
    let (here, there) = (ledgers.here.lock().unwrap().clone(), ledgers.there.lock().unwrap().clone());
    let pairs = |numbers: &[u64]| numbers.iter().map(|number| (*number, ())).collect::<Vec<_>>();
    cx.check_eq("writes go on during the partition", acknowledged.len(), 10);
    cx.verdict("no acknowledged write is lost", &durable(&pairs(&acknowledged), &pairs(&there)));
    cx.verdict("each was sent once, in order", &side_effects(&acknowledged, &there));
    cx.verdict("both sides agree", &converged(&[("here", here), ("there", there)]));
    Ok(())
}
