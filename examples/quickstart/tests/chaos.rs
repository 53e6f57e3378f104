//! A carrier that fails, and whether what was ordered arrives. A page to copy: a plan of faults, a port through which they strike, and
//! the demand that all is well once the faults are off.

use std::sync::Mutex;
use std::time::Duration;

use quickstart::deliver;
use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, InjectedError, Schedule};
use stageflow_stress::oracle::{Acknowledged, exactly_once};
use stageflow_stress::prelude::*;

/// The carrier takes its time, answers 503, loses an answer, and is away for the rest. What was acknowledged was sent once, and after
/// the carrier is back everything that was left is sent.
#[roadmap_test("CHAOS-002", category = Reliability, pipeline = Recovery, oracle(SideEffect, Idempotency), flavor = "current_thread", start_paused)]
async fn parcels_are_sent_once_the_carrier_is_back(cx: &TestContext) -> Outcome {
    let plan = FaultPlan::new()
        .with(Fault::new("carrier", FaultKind::Latency, Schedule::Nth(1)).millis(200))
        .add("carrier", FaultKind::ServerError, Schedule::Nth(2))
        .add("carrier", FaultKind::LostReply, Schedule::Nth(3))
        .add("carrier", FaultKind::Reset, Schedule::After(6));
    let faults = cx.faults(plan);

    // The carrier's side: it knows a parcel by its number, so that one that is handed over again is not sent again.
    let sent = cx.effects("sent");
    let known = Mutex::new(Vec::new());
    let carrier = faults.port("carrier", |parcel: u32| {
        let mut known = known.lock().unwrap();
        if !known.contains(&parcel) {
            known.push(parcel);
            sent.record(parcel.to_string());
        }
        async move { Ok::<_, InjectedError>(()) }
    });
    // Ours: three attempts for each parcel; what was not acknowledged stays in the outbox.
    let send = async |parcel: u32| {
        deliver(3, Duration::from_secs(1), |_| carrier.call(parcel), |pause| cx.sleep(pause)).await
    };

    let mut outbox = Vec::new();
    for parcel in 1..=6 {
        if send(parcel).await.is_err() {
            outbox.push(parcel);
        }
    }
    cx.check("some parcels could not be sent", !outbox.is_empty());
    let outbox = Mutex::new(outbox);
    let settled = faults
        .must_converge(Duration::from_secs(60), async || {
            let left = std::mem::take(&mut *outbox.lock().unwrap());
            for parcel in left {
                if send(parcel).await.is_err() {
                    outbox.lock().unwrap().push(parcel);
                }
            }
            match outbox.lock().unwrap().len() {
                0 => Ok(()),
                n => Err(format!("{n} parcels are left")),
            }
        })
        .await?;
    cx.metric("looks until all was right and stayed so", f64::from(settled.asked), "looks");

    let told: Vec<_> = (1..=6).map(|parcel| (parcel.to_string(), Acknowledged::Done)).collect();
    cx.verdict("every parcel is sent once", &exactly_once(&told, &sent.keys()));
    Ok(())
}
