//! CHAOS-011, memory pressure: near its limit a process sheds what it cannot hold, says so, and serves the next small request as
//! before. It does not die, and it does not pretend.
//!
//! To adapt: start your own service, take its limit from what it uses and some room, and send requests of growing size. The limit is one
//! on address space and is read back from the process. Linux.
//!
//! Red with: `AbortsWhenFull`, `ErrorTextIsLost`.

use stageflow_stress::fault::{Fault, FaultKind, FaultPlan, Schedule};
use stageflow_stress::prelude::*;

use crate::worker::Worker;

/// What the process has of address space, in bytes.
fn address_space(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kilobytes = size.and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.ok_or_else(|| Failure::new("the system does not tell the size of the process"))? << 10)
}

#[roadmap_test("CHAOS-011", category = Reliability, pipeline = Stress, oracle(Bounds, Observability))]
fn what_does_not_fit_is_shed_by_name(cx: &TestContext) -> Outcome {
    let mut worker = Worker::start()?;
    cx.check_eq("without pressure all of it fits", worker.ask("hold", 256)?.as_str(), r#"{"held":256}"#);

    let limit = address_space(worker.child.id())? + (96 << 20);
    let pressure = Fault::new("worker", FaultKind::MemoryLimit, Schedule::Nth(1)).amount(limit);
    let faults = cx.faults(FaultPlan::new().with(pressure));
    cx.check("the limit is in force", faults.process("worker", &worker.child).step());

    let (mut held, mut shed) = (0, 0);
    for megabytes in [1, 16, 64, 256, 1_024] {
        let answer = worker.ask("hold", megabytes)?;
        if answer == format!(r#"{{"held":{megabytes}}}"#) {
            held += 1;
        } else if answer.contains("shed, no memory") {
            shed += 1;
        } else {
            cx.check(&format!("{megabytes} MB are held or shed: {answer}"), false);
        }
    }
    cx.check("what fits is held", held >= 2);
    cx.check("what does not fit is shed", shed >= 2);
    cx.check_eq("afterwards it serves as before", worker.ask("hold", 16)?.as_str(), r#"{"held":16}"#);
    Ok(())
}
