//! CHAOS-012, CPU throttling: a process that gets a twentieth of a CPU becomes slow, and tells so: what its callers see as late it
//! calls late itself, and the times that it reports are those that passed.
//!
//! To adapt: start your own service and have it report how long it took and whether it kept its deadline, in its answers, metrics or
//! heartbeats. The caller's own clock is the other witness. Linux.
//!
//! Red with: `CountsWorkNotTime`.

use std::time::{Duration, Instant};

use serde_json::Value;
use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Schedule};
use stageflow_stress::prelude::*;

use crate::worker::{DEADLINE, Worker};

/// Asks for so much work: what the worker said, and how long the caller waited.
fn spin(worker: &mut Worker, rounds: u64) -> Outcome<(Value, Duration)> {
    let began = Instant::now();
    let answer = worker.ask("spin", rounds)?;
    Ok((serde_json::from_str(&answer)?, began.elapsed()))
}

#[roadmap_test("CHAOS-012", category = Performance, pipeline = Stress, oracle(Timing, Observability), timeout = "120s")]
fn a_throttled_process_does_not_call_itself_punctual(cx: &TestContext) -> Outcome {
    let mut worker = Worker::start()?;
    // So much work that it takes at least a quarter of the deadline when nothing is in the way.
    let mut rounds = 1_000_000;
    while spin(&mut worker, rounds)?.1 < DEADLINE / 4 {
        rounds *= 2;
    }

    let throttle = Fault::new("worker", FaultKind::CpuThrottle, Schedule::Nth(1)).amount(5);
    let faults = cx.faults(FaultPlan::new().with(throttle));
    cx.check("it is throttled", faults.process("worker", &worker.child).step());

    let (mut late, mut silent) = (0, Vec::new());
    for _ in 0..12 {
        let (answer, waited) = spin(&mut worker, rounds)?;
        // Far beyond the deadline, so that the way to the worker and back cannot be the reason.
        if waited > 2 * DEADLINE {
            late += 1;
            let told = Duration::from_millis(answer["ms"].as_u64().unwrap_or_default());
            if answer["late"] != true || told < waited / 2 {
                silent.push(format!("waited {waited:?}, told {answer}"));
            }
        } else if late == 0 {
            // On a busy machine the work was weighed too light: more of it, until there are answers to judge.
            rounds *= 2;
        }
        if late == 5 {
            break;
        }
    }
    cx.check("under the throttle answers are late", late > 0);
    cx.check_eq("no late answer calls itself punctual", silent, Vec::<String>::new());
    faults.heal();
    Ok(())
}
