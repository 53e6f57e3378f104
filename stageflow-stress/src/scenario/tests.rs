//! Each template three ways: it holds, it is broken, and it could not have been seen to be.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::effects::Effects;
use crate::fault::{FaultKind, Faults, InjectedError};

fn on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn broken<T: std::fmt::Debug>(result: Result<T, Violated>, says: &str) {
    match result.unwrap_err() {
        Violated::Broken { problems, .. } => {
            assert!(problems.iter().any(|problem| problem.contains(says)), "{problems:?}");
        }
        other => panic!("expected broken: {other}"),
    }
}

fn unproven<T: std::fmt::Debug>(result: Result<T, Violated>, says: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Violated::Unproven { .. }), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

fn ok<T>(value: T) -> std::future::Ready<Result<T, String>> {
    std::future::ready(Ok(value))
}

#[test]
fn fan_out_fan_in_keeps_every_output() {
    let outputs = on(fan_out_fan_in(500, |n| async move { Ok::<_, String>(n) })).unwrap();
    assert_eq!(outputs, (0..500).collect::<Vec<_>>());
    broken(
        on(fan_out_fan_in(9, |n| async move { if n == 7 { Err("full") } else { Ok(n) } })),
        "branch 7 failed: full",
    );
    broken(
        on(fan_out_fan_in(3, |n| async move {
            assert!(n != 1);
            Ok::<_, String>(n)
        })),
        "branch 1 did not end",
    );
}

#[test]
fn chains_and_diamonds_name_the_step_that_failed() {
    assert_eq!(on(chain(1_000, 0, |_, n| async move { Ok::<_, String>(n + 1) })).unwrap(), 1_000);
    broken(
        on(chain(9, 0, |step, n| async move { if step == 4 { Err("no") } else { Ok(n) } })),
        "step 4 of 9 failed",
    );
    let sum = on(diamond(ok(5), |n| ok(n + 1), |n| ok(n * 2), |l, r| ok(l + r)));
    assert_eq!(sum.unwrap(), 16);
    let wrong = |_: i32| std::future::ready(Err::<i32, _>("late".to_owned()));
    broken(
        on(diamond(ok(5), |n| ok(n + 1), wrong, |l: i32, r: i32| ok(l + r))),
        "the right branch failed: late",
    );
    assert_eq!(on(single(ok(3))).unwrap(), 3);
}

#[test]
fn a_burst_counts_all_of_itself() {
    let taken = Arc::new(AtomicU64::new(0));
    let limited = on(burst(50, |_| {
        let taken = taken.clone();
        async move { if taken.fetch_add(1, Ordering::SeqCst) < 10 { Ok(()) } else { Err("busy") } }
    }))
    .unwrap();
    assert_eq!((limited.ok.len(), limited.failed.len(), limited.panicked), (10, 40, 0));
    broken(
        on(burst(4, |n| async move {
            assert!(n != 2);
            Ok::<_, String>(())
        })),
        "1 of 4 operations panicked",
    );
    broken(on(burst(4, |_| async { Err::<(), _>("down") })), "none of 4 operations succeeded");
}

#[test]
fn a_ramp_finds_where_operations_begin_to_fail() {
    let limit = Arc::new(tokio::sync::Semaphore::new(8));
    let levels = on(ramp([1, 4, 16], |_| {
        let limit = limit.clone();
        async move {
            let Ok(_permit) = limit.try_acquire() else { return Err(()) };
            // As long as all others of the level take to begin.
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(())
        }
    }))
    .unwrap();
    assert_eq!(levels.iter().map(|level| level.ok + level.failed).collect::<Vec<_>>(), [1, 4, 16]);
    assert!(levels[1].failed == 0 && levels[2].failed > 0, "{levels:?}");
    broken(on(ramp([2], |_| async { Err::<(), _>(()) })), "2 of 2 operations failed at the first level");
    unproven(on(ramp([], |_| async { Ok::<_, ()>(()) })), "no level");
}

#[test]
fn a_duplicate_storm_wants_one_effect_and_one_answer() {
    let charges = Effects::new("charges");
    let seen = Arc::new(tokio::sync::Mutex::new(false));
    let careful = || {
        let (charges, seen) = (charges.clone(), seen.clone());
        async move {
            let mut seen = seen.lock().await;
            if !*seen {
                *seen = true;
                charges.record("order-1");
            }
            Ok::<_, String>(7)
        }
    };
    assert_eq!(on(duplicate_storm(100, &charges, careful)).unwrap(), 7);
    let careless = || {
        let charges = charges.clone();
        async move {
            charges.record("order-1");
            Ok::<_, String>(7)
        }
    };
    broken(on(duplicate_storm(100, &charges, careless)), "100 equal requests had 100 effects on `charges`");
    let silent = Effects::new("charges");
    broken(on(duplicate_storm(5, &silent, || async { Ok::<_, String>(7) })), "had 0 effects");
    let counter = Arc::new(AtomicU64::new(0));
    let each = || {
        let n = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>(n) }
    };
    broken(on(duplicate_storm(5, &silent, each)), "two answers");
    broken(on(duplicate_storm(5, &silent, || async { Err::<(), _>("no") })), "all 5 requests were refused");
}

#[test]
fn contention_starves_nobody() {
    let lock = Arc::new(tokio::sync::Mutex::new(0_u64));
    let shared = lock.clone();
    let fair = move |_, _| {
        let lock = shared.clone();
        async move {
            *lock.lock().await += 1;
            Ok::<_, String>(())
        }
    };
    let parties = on(contention(8, 50, Duration::from_secs(30), fair)).unwrap();
    assert!(parties.iter().all(|party| party.done == 50));
    let starving = |party, turn| async move {
        if party == 3 && turn == 2 {
            std::future::pending::<()>().await;
        }
        Ok::<_, String>(())
    };
    broken(
        on(contention(5, 4, Duration::from_millis(100), starving)),
        "party 3 waited more than 100ms for turn 2",
    );
}

/// Two writes with a wait between them; the second is left out if the future is dropped there.
async fn transfer(books: Arc<Mutex<(i64, i64)>>) {
    books.lock().unwrap().0 -= 10;
    tokio::task::yield_now().await;
    books.lock().unwrap().1 += 10;
}

#[test]
fn cancel_everywhere_finds_the_half_done_transfer() {
    let fresh = || Arc::new(Mutex::new((100, 0)));
    let sum = |books: Arc<Mutex<(i64, i64)>>, _: CancelPoint| {
        let books = *books.lock().unwrap();
        let total = books.0 + books.1;
        std::future::ready(if total == 100 { Ok(()) } else { Err(format!("the total is {total}")) })
    };
    let careless = || {
        let books = fresh();
        (books.clone(), transfer(books))
    };
    broken(on(cancel_everywhere(careless, sum)), "dropped after 1 of 2 polls: the total is 90");
    // Both writes after the wait: nothing can come between.
    let careful = || {
        let books = fresh();
        (books.clone(), async move {
            tokio::task::yield_now().await;
            let mut books = books.lock().unwrap();
            books.0 -= 10;
            books.1 += 10;
        })
    };
    assert_eq!(on(cancel_everywhere(careful, sum)).unwrap(), 2);
    let instant = || (fresh(), std::future::ready(()));
    unproven(on(cancel_everywhere(instant, sum)), "never waits");
}

/// Reserves, charges and ships through one port; `undo` puts back what was done where a step fails.
async fn order(faults: Faults, undo: bool) -> (Result<(), String>, Vec<&'static str>) {
    let done = Mutex::new(Vec::new());
    let step = faults.port("effects", |what: &'static str| {
        done.lock().unwrap().push(what);
        async { Ok::<_, String>(()) }
    });
    let mut end = Ok(());
    for what in ["reserve", "charge", "ship"] {
        end = step.call(what).await;
        if end.is_err() {
            break;
        }
    }
    drop(step);
    let mut done = done.into_inner().unwrap();
    if end.is_err() && undo {
        done.clear();
    }
    (end, done)
}

#[test]
fn crash_after_effect_finds_what_is_left_half_done() {
    type End = (Result<(), String>, Vec<&'static str>);
    let audit = |crash: &Crash<End>| match (&crash.result.0, crash.result.1.len()) {
        (Ok(()), 3) | (Err(_), 0) => Ok(()),
        (end, done) => Err(format!("{end:?} with {done} effects")),
    };
    assert_eq!(on(crash_after_effect("effects", |faults| order(faults, true), audit)).unwrap(), 3);
    let error = on(crash_after_effect("effects", |faults| order(faults, false), audit)).unwrap_err();
    assert!(error.to_string().contains("broken off after effect 2 of 3"), "{error}");
    unproven(
        on(crash_after_effect("elsewhere", |faults| order(faults, true), audit)),
        "no effect at the port `elsewhere`",
    );
}

async fn search(faults: Faults, n: u64, pretends: bool) -> Result<Vec<u64>, String> {
    let found = faults.port("index", |n: u64| async move { Ok::<_, String>(vec![n]) }).call(n).await;
    if pretends { Ok(found.unwrap_or_default()) } else { found }
}

#[test]
fn a_dependency_flap_finds_the_empty_answer_that_pretends() {
    let right = |n: u64, answer: &Vec<u64>| *answer == [n];
    let report =
        on(dependency_flap("index", (2, 2, 3), |faults, n| search(faults, n, false), right)).unwrap();
    assert_eq!(report.delivered, 6);
    broken(
        on(dependency_flap("index", (2, 2, 3), |faults, n| search(faults, n, true), right)),
        "request 0 pretended",
    );
    unproven(
        on(dependency_flap("indx", (2, 2, 3), |faults, n| search(faults, n, false), right)),
        "no request met `indx`",
    );
    let stuck = AtomicU64::new(0);
    let never_back = |faults: Faults, n| {
        let was_down = stuck.load(Ordering::SeqCst) > 0;
        let found = search(faults, n, false);
        let stuck = &stuck;
        async move {
            let found = found.await;
            if found.is_err() {
                stuck.store(1, Ordering::SeqCst);
            }
            if was_down { Err("breaker open".to_owned()) } else { found }
        }
    };
    broken(
        on(dependency_flap("index", (2, 2, 3), never_back, right)),
        "after it was back, failed: breaker open",
    );
}

#[test]
fn a_partition_must_heal() {
    let (here, there) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let link: Mutex<Option<Faults>> = Mutex::new(None);
    let during = |faults: Faults| {
        *link.lock().unwrap() = Some(faults.clone());
        let (here, there) = (here.clone(), there.clone());
        async move {
            for n in 0..3 {
                here.lock().unwrap().push(n);
                let send = faults.port("link", |n| {
                    there.lock().unwrap().push(n);
                    ok(())
                });
                let _ = send.call(n).await;
            }
        }
    };
    let resend = |sends: bool| {
        let (here, there) = (here.clone(), there.clone());
        move || {
            if sends {
                there.lock().unwrap().clone_from(&here.lock().unwrap());
            }
            let same = *here.lock().unwrap() == *there.lock().unwrap();
            std::future::ready(if same { Ok(()) } else { Err("three entries are missing".to_owned()) })
        }
    };
    broken(
        on(partition_heal("link", Duration::from_millis(50), during, resend(false))),
        "three entries are missing",
    );
    let report = on(partition_heal("link", Duration::from_secs(30), during, resend(true))).unwrap();
    assert_eq!(report.delivered, 3);
    let idle = |_| std::future::ready(());
    unproven(on(partition_heal("link", Duration::from_secs(1), idle, resend(true))), "nothing met the link");
}

#[test]
fn a_fault_sweep_strikes_every_call_with_every_kind() {
    let run = |faults: Faults| async move {
        let port = faults
            .port("rate", |()| async { Ok::<_, InjectedError>(serde_json::json!({ "cents": 250 })) })
            .json();
        let first = port.call(()).await;
        let second = port.call(()).await;
        first.and(second).map(|value| value["cents"].as_i64().unwrap_or_default())
    };
    let right = |arm: &Arm<Result<i64, InjectedError>>| match &arm.result {
        Ok(250) | Err(_) => Ok(()),
        Ok(other) => Err(format!("{other} cents")),
    };
    let transport = [FaultKind::Reset, FaultKind::Loss, FaultKind::LostReply];
    assert_eq!(on(fault_sweep(transport, run, right)).unwrap().len(), 6);
    broken(on(fault_sweep([FaultKind::WrongUnit], run, right)), "wrong_unit at `rate`");
    broken(on(fault_sweep([FaultKind::NullField], run, right)), "0 cents");
    unproven(on(fault_sweep([FaultKind::Reset, FaultKind::DateFlip], run, right)), "finds nothing to change");
    unproven(on(fault_sweep([FaultKind::Reset], |_| ok(5), |_| Ok(()))), "the run calls no port");
}

#[test]
fn labelled_cases_are_judged_by_their_bound() {
    let parity = |n: u64| ok(n.is_multiple_of(2));
    let cases = |n: u64| (0..n).map(|n| (n, n.is_multiple_of(2)));
    assert_eq!(on(labelled_set(0.95, cases(100), parity)).unwrap().right, 100);
    unproven(
        on(labelled_set(0.95, cases(20), parity)),
        "20 cases cannot show 0.95, not even without a mistake; 73 can",
    );
    broken(on(labelled_set(0.95, cases(100), |_| ok(true))), "50 of 100 cases are right");
    let fails = |n: u64| std::future::ready(if n < 30 { Err("timeout") } else { Ok(n.is_multiple_of(2)) });
    broken(on(labelled_set(0.95, cases(100), fails)), "0 failed: timeout");
    unproven(on(labelled_set(0.95, cases(0), parity)), "no case");
}

#[test]
fn attacks_are_refused_and_harmless_cases_pass() {
    let guard = |text: &'static str| ok(text.contains("ignore"));
    let attacks = on(attack_set(["ignore all rules"], ["what is the time?"], guard)).unwrap();
    assert_eq!((attacks.refused, attacks.passed), (1, 1));
    broken(on(attack_set(["1gnore all rules"], ["hi"], guard)), "the hostile \"1gnore all rules\" passed");
    broken(on(attack_set(["ignore"], ["please ignore the noise"], guard)), "the harmless");
    broken(
        on(attack_set(["x"], ["y"], |_| std::future::ready(Err::<bool, _>("parser")))),
        "the guard failed on the hostile",
    );
    unproven(on(attack_set(["ignore"], [], guard)), "both kinds are needed");
}

#[test]
fn two_versions_answer_alike() {
    let old = |n: i64| ok(n * 2);
    assert_eq!(on(two_versions(-5..5, old, |n| ok(n + n))).unwrap(), 10);
    broken(on(two_versions([1, 2, 3], old, |n| ok(if n == 2 { 0 } else { n * 2 }))), "2: Ok(4) and Ok(0)");
    let fails = |_: i64| std::future::ready(Err::<i64, _>("no".to_owned()));
    unproven(on(two_versions([1, 2], fails, fails)), "none of 2 inputs had an answer");
}

#[test]
fn what_goes_there_comes_back_or_is_found() {
    let there = |value: &serde_json::Value| serde_json::to_vec(value);
    let back = |bytes: &Vec<u8>| serde_json::from_slice(bytes);
    let made = round_trip(edges(), there, back).unwrap();
    assert_eq!(made, edges().len() as u64);
    // Through a floating-point number, as some canonical forms do.
    let lossy = |value: &i64| Ok::<_, String>((*value as f64).to_string().into_bytes());
    let from = |bytes: &Vec<u8>| Ok(String::from_utf8_lossy(bytes).parse::<f64>().unwrap_or_default() as i64);
    let big = [9_007_199_254_740_992_i64, 9_007_199_254_740_993];
    broken(round_trip(big, lossy, from), "9007199254740993 came back as 9007199254740992");
    broken(round_trip(big, lossy, from), "9007199254740992 and 9007199254740993 have one form");
    unproven(
        round_trip([1, 2], |_: &i64| Err::<Vec<u8>, _>("refused".to_owned()), from),
        "no value made the way",
    );
}

#[test]
fn tenants_do_not_see_each_other() {
    let apart = |tenant: Tenant| async move {
        Ok::<_, String>(format!("notes of {}: {}", tenant.name, tenant.canary))
    };
    assert_eq!(on(tenant_pairs(&["a", "b", "c"], apart)).unwrap(), 3);
    // A cache by a key that both share.
    let cache: Arc<Mutex<BTreeMap<&str, String>>> = Arc::default();
    let shared = |tenant: Tenant| {
        let cache = cache.clone();
        async move {
            let cached =
                cache.lock().unwrap().entry("notes").or_insert_with(|| tenant.canary.clone()).clone();
            Ok::<_, String>(format!("{} {cached}", tenant.canary))
        }
    };
    broken(on(tenant_pairs(&["a", "b"], shared)), "saw what belongs to");
    unproven(
        on(tenant_pairs(&["a", "b"], |_| async { Ok::<_, String>(String::new()) })),
        "did not see their own canary",
    );
    unproven(on(tenant_pairs(&["a"], apart)), "two tenants are needed");
}

#[test]
fn growth_is_bounded_by_its_interval() {
    let kept = AtomicU64::new(0);
    let size = || kept.load(Ordering::SeqCst) as f64;
    let leak = |every: u64| {
        let kept = &kept;
        move |turn: u64| {
            if turn.is_multiple_of(every) {
                kept.fetch_add(100, Ordering::SeqCst);
            }
            ok(())
        }
    };
    let growth = on(long_session(2_000, 200.0, size, leak(1_000))).unwrap();
    assert_eq!(growth.turns, 2_000);
    broken(on(long_session(2_000, 200.0, size, leak(10))), "for each thousand turns, the limit is 200");
    unproven(on(long_session(4, 200.0, size, leak(1))), "at least 6 are needed");
    let fails = |turn| std::future::ready(if turn == 5 { Err("lost") } else { Ok(()) });
    broken(on(long_session(100, 1.0, || 0.0, fails)), "turn 5 of 100 failed: lost");
}

#[test]
fn a_cold_start_is_followed_by_a_warm_use() {
    let usage = |state: u64| ok((state, state));
    let times = on(cold_start(3, || ok(5_u64), usage)).unwrap();
    assert_eq!((times.cold.len(), times.warm.len()), (3, 3));
    broken(on(cold_start(1, || ok(0_u64), |state| ok((state, state + 1)))), "returned 0 and the second 1");
    broken(
        on(cold_start(1, || std::future::ready(Err::<u64, _>("no port".to_owned())), usage)),
        "start 0 failed: no port",
    );
    unproven(on(cold_start(0, || ok(5_u64), usage)), "nothing was started");
}

#[test]
fn what_would_never_end_ends_at_its_limit() {
    let limited = async { Err::<(), _>("gave up after max_steps = 50") };
    assert!(on(loop_limit(Duration::from_secs(30), "max_steps", limited)).unwrap().contains("50"));
    broken(
        on(loop_limit(Duration::from_millis(50), "max_steps", std::future::pending::<Result<(), String>>())),
        "still running after 50ms",
    );
    broken(on(loop_limit(Duration::from_secs(30), "max_steps", ok(9))), "as if it were done: 9");
    let other = async { Err::<(), _>("disk full") };
    broken(
        on(loop_limit(Duration::from_secs(30), "max_steps", other)),
        "does not name `max_steps`: disk full",
    );
}

#[test]
fn a_replay_comes_to_the_same() {
    assert_eq!(on(replay(|| ok((vec![1, 2], 3)), |record: Vec<i32>| ok(record.iter().sum()))).unwrap(), 3);
    broken(
        on(replay(|| ok((vec![1], 3)), |record: Vec<i32>| ok(record.iter().sum()))),
        "came to 3 and its replay to 1",
    );
    broken(
        on(replay(|| ok(((), 3)), |()| std::future::ready(Err::<i32, _>("no record".to_owned())))),
        "the replay failed: no record",
    );
}

#[test]
fn pipelines_of_every_shape_are_well_formed_and_an_idle_engine_is_found_out() {
    use crate::engine::{Engine, EngineError, PipelineSpec, RunEnd, RunOptions, RunReport};

    struct Idle;
    impl Engine for Idle {
        fn name(&self) -> String {
            "idle".to_owned()
        }
        async fn run(&self, _: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
            Ok(RunReport::new(RunEnd::Ok))
        }
    }

    for (pipeline, stages) in
        [(fan_out_pipeline(500), 502), (chain_pipeline(1_000), 1_000), (diamond_pipeline(), 4)]
    {
        pipeline.check().unwrap();
        assert_eq!(pipeline.stages.len(), stages);
        assert!(matches!(
            on(run_pipeline(&Idle, &pipeline, &RunOptions::new())),
            Err(Violated::Broken { .. })
        ));
    }
}
