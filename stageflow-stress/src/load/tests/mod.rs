use std::collections::BTreeMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::stats::percentile;

mod models;

const MS: Duration = Duration::from_millis(1);

/// A lag that no machine reaches: tests of counting are not about the machine.
const ANY_LAG: Duration = Duration::from_secs(60);

fn on_runtime<T>(workers: usize, body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
        .block_on(body)
}

fn sums(counts: &Counts) -> bool {
    let Counts { offered, succeeded, failed, panicked, cancelled, dropped, in_flight, .. } = *counts;
    offered == succeeded + failed + panicked + cancelled + dropped + in_flight
}

fn load(name: &str) -> Load {
    Load::new(name, 7).max_lag(ANY_LAG)
}

#[test]
fn a_stall_of_the_runtime_is_seen_by_the_response_time_and_not_by_the_service_time() {
    let truth = Arc::new(Mutex::new(Vec::new()));
    let kept = truth.clone();
    let report = on_runtime(1, async move {
        tokio::spawn(async {
            tokio::time::sleep(MS * 300).await;
            std::thread::sleep(MS * 300);
        });
        load("stall")
            .open(1_000.0)
            .for_(Duration::from_secs(2))
            .run(move |op| {
                let kept = kept.clone();
                async move {
                    tokio::task::yield_now().await;
                    kept.lock().unwrap().push(op.due().unwrap().elapsed());
                }
            })
            .await
            .unwrap()
    });
    let mut truth = std::mem::take(&mut *truth.lock().unwrap());
    truth.sort_unstable();
    let (exact, ours) = (percentile(&truth, 0.99).unwrap(), report.response().percentile(0.99).unwrap());
    assert_eq!(report.counts.succeeded, 2_000);
    assert!(exact > MS * 200, "{exact:?}");
    assert!(ours.value.abs_diff(exact) < exact / 50, "{ours:?} {exact:?}");
    assert!(ours.low.unwrap() <= ours.value && ours.high.unwrap() >= ours.value);
    let service = report.service().percentile(0.5).unwrap().value;
    assert!(service < exact / 10, "{service:?}");
}

#[test]
fn every_way_to_end_is_counted_and_the_counts_add_up() {
    let report = on_runtime(2, async {
        load("endings")
            .profile(Profile::burst(100, MS * 50, 2))
            .drain(MS * 1_000)
            .allow_errors(1.0)
            .run(|op| async move {
                match op.index() % 10 {
                    0 => Err(format!("odd {}", op.index() % 20)),
                    1 => resume_unwind(Box::new("an operation panics")),
                    2 => pending().await,
                    _ => Ok(()),
                }
            })
            .await
            .unwrap()
    });
    let counts = report.counts;
    assert!(sums(&counts), "{counts:?}");
    assert_eq!(
        (counts.offered, counts.succeeded, counts.failed, counts.panicked, counts.in_flight),
        (200, 140, 20, 20, 20)
    );
    assert_eq!(report.errors, [("odd 0".to_owned(), 10), ("odd 10".to_owned(), 10)]);
    for stage in &report.stages {
        assert!(sums(&stage.counts) && stage.counts.offered == 100, "{stage:?}");
        assert_eq!(stage.counts.in_flight, 10);
    }
    // Of 160 operations in the distribution, 20 did not come back: the tail is theirs.
    let p99 = report.response().percentile(0.99).unwrap();
    assert!(p99.at_least && p99.high.is_none() && p99.value >= MS * 150, "{p99:?}");
    assert!(!report.response().percentile(0.5).unwrap().at_least);
    assert!(report.is_valid(), "{:?}", report.validity);
}

#[test]
fn operations_without_room_are_dropped_and_make_the_run_invalid() {
    let report = on_runtime(2, async {
        load("full")
            .open(1_000.0)
            .for_(MS * 200)
            .max_in_flight(10)
            .drain(MS * 10)
            .run(|_| pending::<()>())
            .await
            .unwrap()
    });
    assert_eq!((report.counts.offered, report.counts.dropped, report.counts.in_flight), (200, 190, 10));
    let Validity::Invalid(reasons) = &report.validity else { panic!("valid") };
    assert!(reasons.iter().any(|reason| reason.contains("190 of 200")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("nothing was measured")), "{reasons:?}");
}

#[test]
fn a_generator_that_is_too_slow_makes_the_run_invalid() {
    // Nobody begins two million operations within a thousandth of a second.
    let report = load("too much")
        .profile(Profile::constant(2_000_000.0, MS * 50))
        .max_in_flight(2)
        .max_lag(MS)
        .run_sync(|_| std::thread::sleep(MS))
        .unwrap();
    assert!(!report.is_valid(), "{:?}", report.counts);
    assert!(sums(&report.counts));
}

#[test]
fn cancelled_operations_are_counted() {
    let report = on_runtime(2, async {
        let inner = Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap());
        let runtime = inner.clone();
        let report = inner
            .handle()
            .clone()
            .spawn(async move {
                let load = load("cancelled").open(1_000.0).for_(MS * 100);
                load.run(move |op| {
                    let runtime = runtime.clone();
                    async move {
                        if op.index() == 5 {
                            // A task of its own that is aborted drops the future within.
                            let task = runtime.spawn(pending::<()>());
                            task.abort();
                            task.await.map_err(|error| error.to_string())
                        } else {
                            Ok(())
                        }
                    }
                })
                .await
                .unwrap()
            })
            .await
            .unwrap();
        std::thread::spawn(move || drop(inner)).join().unwrap();
        report
    });
    assert_eq!((report.counts.failed, report.counts.succeeded), (1, 99));
}

#[test]
fn a_runtime_that_ends_cancels_what_it_runs() {
    let shared = {
        let names = operation::Names { stages: vec!["only".to_owned()], kinds: Vec::new() }.kept();
        let shared = engine::Shared::new(Instant::now(), names, 1, 4, 0, MS);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let op = shared.op(0, 0, Some(MS));
        let entry = shared.open(&op, 0, Some(0), 0);
        runtime.spawn(async move {
            let _entry = entry;
            pending::<()>().await;
        });
        drop(runtime);
        shared
    };
    let (tally, left) = shared.drain(Duration::ZERO);
    assert_eq!((tally.cells[0].cancelled, left.len()), (1, 0));
}

#[test]
fn a_closed_loop_runs_what_it_is_told_and_has_no_response_time() {
    let seen = Arc::new(Mutex::new(BTreeMap::<u64, u64>::new()));
    let kept = seen.clone();
    let report = load("closed")
        .closed(4)
        .count(1_000)
        .mix([("read", 3.0), ("write", 1.0)])
        .run_sync(move |op| {
            assert!(op.planned().is_none() && ["read", "write"].contains(&op.kind()));
            *kept.lock().unwrap().entry(op.index()).or_default() += 1;
            if op.index() == 3 { Err("one") } else { Ok(()) }
        })
        .unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen.values().max()), (1_000, Some(&1)));
    assert_eq!((report.counts.succeeded, report.counts.failed), (999, 1));
    assert!(sums(&report.counts) && report.fails_too_often());
    assert_eq!((report.response().count(), report.service().count()), (0, 999));
    let writes = report.kinds.iter().find(|kind| kind.name == "write").unwrap();
    assert!((200..300).contains(&writes.counts.offered), "{:?}", writes.counts);
    assert_eq!(report.kinds.iter().map(|kind| kind.counts.offered).sum::<u64>(), 1_000);
}

#[test]
fn the_first_operation_of_a_closed_loop_takes_its_time() {
    let report = load("first").closed(1).count(1).run_sync(|_| std::thread::sleep(MS)).unwrap();
    assert!(report.service().min().unwrap() >= MS, "{:?}", report.service());
}

#[test]
fn a_closed_loop_on_one_thread_shares_it_and_survives_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let per_worker = Arc::new([const { AtomicU64::new(0) }; 3]);
    let kept = per_worker.clone();
    let report = runtime.block_on(async move {
        load("busy")
            .closed(3)
            .for_(MS * 100)
            .allow_errors(1.0)
            .run(move |op| {
                let kept = kept.clone();
                async move {
                    kept[usize::try_from(op.index() % 3).unwrap()].fetch_add(1, Ordering::Relaxed);
                    if op.index() == 4 {
                        // Without the hook, whose trace would take all of the time.
                        resume_unwind(Box::new("an operation panics"));
                    }
                }
            })
            .await
            .unwrap()
    });
    assert_eq!(report.counts.panicked, 1);
    assert!(per_worker.iter().all(|n| n.load(Ordering::Relaxed) > 10), "{per_worker:?}");
    assert!(sums(&report.counts));
}

#[test]
fn a_closed_loop_that_hangs_ends_and_says_so() {
    let report = on_runtime(2, async {
        load("hang").closed(2).for_(MS * 500).drain(MS * 50).run(|_| pending::<()>()).await.unwrap()
    });
    assert_eq!((report.counts.offered, report.counts.in_flight), (2, 2));
    assert!(!report.is_valid());
}

#[test]
fn a_budget_of_failures_ends_the_load() {
    let open = load("budget").open(1_000.0).for_(Duration::from_secs(60)).abort_above(0.5);
    let report = open.run_sync(|_| Err::<(), _>("no")).unwrap();
    assert!(report.aborted.unwrap().contains("budget of 50 %"));
    assert!(report.counts.offered < 10_000);
    let closed = load("budget").closed(2).for_(Duration::from_secs(60)).abort_above(0.5);
    let report = closed.run_sync(|_| Err::<(), _>("no")).unwrap();
    assert!(report.aborted.is_some() && sums(&report.counts));
}

#[test]
fn seeds_and_kinds_are_the_same_in_every_run_and_differ_between_operations() {
    let run = |seed| {
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let kept = seen.clone();
        Load::new("seeds", seed)
            .max_lag(ANY_LAG)
            .profile(Profile::burst(50, MS, 1))
            .mix([("a", 1.0), ("b", 1.0)])
            .run_sync(move |op| {
                let value = (op.seed(), op.kind().to_owned(), op.random("size").to_bits());
                kept.lock().unwrap().insert(op.index(), value);
            })
            .unwrap();
        std::mem::take(&mut *seen.lock().unwrap())
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    let seeds: std::collections::BTreeSet<_> = first.values().map(|(seed, _, _)| *seed).collect();
    assert_eq!(seeds.len(), 50);
}

#[test]
fn a_paused_clock_and_no_runtime_are_refused() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let error = runtime.block_on(load("paused").open(100.0).for_(MS * 50).run(|_| async {}));
    assert!(matches!(error, Err(LoadError::PausedClock { .. })), "{error:?}");
    let error = std::pin::pin!(load("none").open(100.0).for_(MS).run(|_| async {}));
    let error = error.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(error, std::task::Poll::Ready(Err(LoadError::NoRuntime { .. }))));
    for bad in [
        load("bad"),
        load("bad").open(10.0),
        load("bad").closed(2),
        load("bad").closed(0).count(1),
        load("bad").closed(1).count(1).for_(MS),
        load("bad").open(10.0).for_(MS * 100).mix([("a", 0.0)]),
        load("bad").open(10.0).for_(MS * 100).max_in_flight(0),
        load("bad").open(10.0).for_(MS * 100).abort_above(2.0),
        load("bad").profile(Profile::constant(10.0, MS * 100)).for_(MS),
    ] {
        assert!(matches!(bad.clone().run_sync(|_| ()), Err(LoadError::Setting { .. })), "{bad:?}");
    }
}

#[test]
fn a_search_finds_where_a_queue_overflows() {
    // One server that takes 2 ms: 500 per second.
    let curve = on_runtime(2, async {
        let server = Arc::new(tokio::sync::Semaphore::new(1));
        load("server")
            .for_(MS * 300)
            .search(50.0, 6_400.0, None, move |_| {
                let server = server.clone();
                async move {
                    let _turn = server.acquire().await.unwrap();
                    tokio::time::sleep(MS).await; // the timer rounds it up to 1 to 2 ms
                }
            })
            .await
            .unwrap()
    });
    let (kept, saturated) = curve.knee().unwrap();
    assert!(kept >= 50.0 && saturated <= 1_600.0 && kept < saturated, "{kept} {saturated}");
    assert!(curve.steps.is_sorted_by(|a, b| a.rate <= b.rate));
    assert!(curve.to_json()["knee"]["kept"].is_number());
}

#[test]
fn a_search_within_what_is_kept_up_with_has_no_knee() {
    let curve = on_runtime(2, async {
        load("nothing to do").for_(MS * 100).search(50.0, 200.0, None, |_| async {}).await.unwrap()
    });
    assert!(curve.knee().is_err(), "{:?}", curve.knee());
    assert!(curve.to_json()["knee"]["reason"].is_string(), "{}", curve.to_json());
}

#[test]
fn a_soak_has_results_for_each_tenth_and_a_recording_its_own_moments() {
    let tired = std::sync::atomic::AtomicU32::new(0);
    let report = load("soak")
        .profile(Profile::soak(400.0, MS * 500))
        .run_sync(move |_| {
            // A system that wears out: each call takes a little longer than the one before.
            let n = tired.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(u64::from(n) * 40));
        })
        .unwrap();
    assert_eq!(report.stages.len(), 10);
    let median = |n: usize| report.stages[n].service().percentile(0.5).unwrap().value;
    assert!(median(9) > median(0), "{:?} {:?}", median(0), median(9));

    let moments = [0, 7, 9, 60].map(|ms| MS * ms);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let planned = seen.clone();
    let load = load("recorded").profile(Profile::recorded(moments));
    load.run_sync(move |op| planned.lock().unwrap().push(op.planned().unwrap())).unwrap();
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(seen, moments);
}

#[test]
fn the_exponent_of_scaling_is_that_of_the_work() {
    let scaling = Scaling {
        name: "squares".to_owned(),
        points: [10_u64, 100, 1_000]
            .map(|size| ScalingPoint {
                size,
                times: [90, 100, 110].map(|noise| Duration::from_nanos(size * size * noise)).to_vec(),
            })
            .to_vec(),
    };
    let fit = scaling.exponent().unwrap();
    assert!(fit.interval.contains(2.0) && fit.interval.low > 1.9, "{fit:?}");
}

#[test]
fn the_file_holds_what_the_report_says() {
    let report = load("file").closed(2).count(200).mix([("a", 1.0), ("b", 1.0)]).run_sync(|_| ()).unwrap();
    let json = report.to_json();
    assert_eq!(json["counts"]["succeeded"], 200);
    assert_eq!(json["response"], serde_json::Value::Null);
    let service = &json["service"];
    assert_eq!(service["count"], 200);
    assert!(service["percentiles"]["p99"]["value"].is_u64());
    assert_eq!(service["percentiles"]["p99.9"]["value"], serde_json::Value::Null);
    let cdf = service["cdf"].as_array().unwrap();
    assert_eq!(cdf.last().unwrap()[1], 200);
    assert!(cdf.windows(2).all(|pair| pair[0][0].as_u64() < pair[1][0].as_u64()));
    let moments = json["timeline"]["moments"].as_array().unwrap();
    assert_eq!(moments.iter().map(|moment| moment["succeeded"].as_u64().unwrap()).sum::<u64>(), 200);
}
