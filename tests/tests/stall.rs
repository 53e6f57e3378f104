//! One stall of the tested runtime: what is reported of it, beside what the tested side itself saw.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stageflow_stress::load::Load;
use stageflow_stress::stats::percentile;
use tokio::runtime::Runtime;

const RATE: f64 = 1_000.0;
const LENGTH: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_millis(500);

/// A runtime with one worker, which is held up once, five seconds after the beginning.
fn stalled() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.spawn(async {
        tokio::time::sleep(LENGTH / 2).await;
        std::thread::sleep(STALL);
    });
    runtime
}

async fn work() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    percentile(&times, 0.99).expect("operations")
}

/// The generators of other tools, by what starts the clock of an operation. Each runs on the runtime that it tests, as a
/// load test in the process of its target does.
///
/// `actual start`: k6 and rlt, where an operation is timed from its own start. `wake-up`: oha with its latency
/// correction, where the moment is read after the generator's sleep.
fn as_others_do() -> (Duration, Duration) {
    let runtime = stalled();
    let (from_start, from_wake_up) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let kept = (from_start.clone(), from_wake_up.clone());
    runtime.block_on(async move {
        tokio::spawn(async move {
            let begin = tokio::time::Instant::now();
            let mut running = Vec::new();
            for n in 0..10_000_u32 {
                tokio::time::sleep_until(begin + Duration::from_millis(1) * n).await;
                let woken = Instant::now();
                let kept = kept.clone();
                running.push(tokio::spawn(async move {
                    let started = Instant::now();
                    work().await;
                    kept.0.lock().unwrap().push(started.elapsed());
                    kept.1.lock().unwrap().push(woken.elapsed());
                }));
            }
            for one in running {
                one.await.unwrap();
            }
        })
        .await
        .unwrap();
    });
    let take = |times: &Mutex<Vec<Duration>>| p99(std::mem::take(&mut *times.lock().unwrap()));
    (take(&from_start), take(&from_wake_up))
}

#[test]
fn the_response_time_of_a_stalled_runtime_is_the_truth() {
    let truth = Arc::new(Mutex::new(Vec::new()));
    let kept = truth.clone();
    let runtime = stalled();
    let report = runtime
        .block_on(Load::new("stall", 1).open(RATE).for_(LENGTH).run(move |op| {
            let kept = kept.clone();
            async move {
                work().await;
                let due = op.due().expect("the open model has a plan");
                kept.lock().unwrap().push(due.elapsed());
            }
        }))
        .expect("a report");
    let truth = p99(std::mem::take(&mut *truth.lock().unwrap()));
    let ours = report.response().percentile(0.99).expect("10,000 operations").value;
    let (from_start, from_wake_up) = as_others_do();

    let mut table = String::from("\n| measured | P99 |\n| --- | --- |\n");
    for (what, value) in [
        ("the truth: the tested side's own record, from the planned moment", truth),
        ("response time, as `cx.load` reports it", ours),
        ("service time of the same run", report.service().percentile(0.99).expect("10,000 operations").value),
        ("clock from the actual start, generator on the runtime (k6, rlt)", from_start),
        ("clock from the generator's wake-up, generator on the runtime (oha)", from_wake_up),
    ] {
        writeln!(table, "| {what} | {:.1} ms |", value.as_secs_f64() * 1_000.0).unwrap();
    }
    writeln!(
        table,
        "generator: {:?}, lag P99 {:?}, {} of {} operations begun, {} late",
        report.validity,
        report.lag().percentile(0.99).expect("10,000 operations").value,
        report.counts.issued(),
        report.counts.offered,
        report.counts.late
    )
    .unwrap();
    // Past the capture of the test harness: the figures are for whoever reads the log, most of all where the test is green.
    std::io::stdout().write_all(table.as_bytes()).unwrap();

    assert_eq!(report.counts.succeeded, 10_000);
    // 500 operations were due during the stall; the hundredth part of all is the worst 100 of them.
    assert!(truth > STALL / 2, "the stall was not there: {truth:?}");
    assert!(ours.abs_diff(truth) <= truth / 50, "{ours:?} is not within 2 % of {truth:?}");
}
