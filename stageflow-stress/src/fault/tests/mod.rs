//! Each kind twice: delivered, as the target and the caller see it, and not delivered, which says so.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use super::*;

mod answers;
#[cfg(target_os = "linux")]
mod processes;
mod proxy;
mod streams;
mod table;

fn on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

fn nth(kind: FaultKind, call: u64) -> Fault {
    Fault::new("shop", kind, Schedule::Nth(call))
}

fn session(fault: Fault) -> Faults {
    Faults::new(FaultPlan::new().with(fault))
}

/// What the caller and the target each saw of one call.
struct Sight {
    caller: Result<u32, InjectedError>,
    /// How often the target ran.
    target: u32,
    waited: Duration,
}

fn one_call(faults: &Faults) -> Sight {
    let ran = AtomicU32::new(0);
    on(async {
        let port = faults.port("shop", |cents: u32| {
            ran.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, InjectedError>(cents) }
        });
        let before = tokio::time::Instant::now();
        let caller = port.call(100).await;
        Sight { caller, target: ran.load(Ordering::Relaxed), waited: before.elapsed() }
    })
}

/// The report of a session whose fault was meant and not delivered, with its one reason.
fn refused(faults: &Faults) -> String {
    let report = faults.report();
    assert_eq!((report.armed, report.delivered, report.undelivered), (1, 0, 1), "{report}");
    assert!(report.all_delivered().is_err());
    report.faults[0].why.join("; ")
}

fn delivered(faults: &Faults) {
    let report = faults.report();
    assert_eq!((report.armed, report.delivered, report.undelivered), (1, 1, 0), "{report}");
    report.all_delivered().unwrap();
}

#[test]
fn what_keeps_a_request_from_arriving() {
    use FaultKind::*;
    for (kind, says, error_kind) in [
        (Error, "the operation failed", io::ErrorKind::Other),
        (Reset, "connection reset", io::ErrorKind::ConnectionReset),
        (Flap, "connection refused", io::ErrorKind::ConnectionRefused),
        (Dns, "does not resolve", io::ErrorKind::NotFound),
        (TlsExpired, "certificate has expired", io::ErrorKind::Other),
        (RateLimited, "429", io::ErrorKind::Other),
        (ServerError, "status 503", io::ErrorKind::Other),
        (Loss, "no answer within the time", io::ErrorKind::TimedOut),
    ] {
        let faults = session(nth(kind, 1).millis(40));
        let seen = one_call(&faults);
        assert_eq!(seen.target, 0, "{kind}: the target ran");
        let error = seen.caller.unwrap_err();
        assert!(error.to_string().contains(says), "{kind}: {error}");
        assert!(error.to_string().contains(error.id().as_str()), "{kind}: the text has the id");
        assert_eq!(io::Error::from(error).kind(), error_kind, "{kind}");
        delivered(&faults);
    }
}

#[test]
fn a_fault_whose_call_never_comes_is_not_delivered_and_says_so() {
    for kind in FaultKind::ALL.iter().filter(|kind| kind.unavailable().is_none()) {
        let faults = session(nth(*kind, 2));
        assert_eq!(one_call(&faults).caller.unwrap(), 100, "{kind}");
        let why = refused(&faults);
        assert!(why.contains("`shop` had 1 call, the plan means call 2"), "{kind}: {why}");
    }
}

#[test]
fn what_this_machine_does_not_allow_says_not_available_here() {
    for kind in FaultKind::ALL.iter().filter(|kind| kind.unavailable().is_some()) {
        let faults = session(nth(*kind, 1));
        assert_eq!(one_call(&faults).caller.unwrap(), 100);
        assert!(refused(&faults).starts_with("not available here: "), "{kind}");
    }
}

#[test]
fn what_an_operation_cannot_have_names_where_to_turn() {
    for (kind, to) in [
        (FaultKind::SlowChunks, "Faults::chunks"),
        (FaultKind::DiskFull, "Faults::io"),
        (FaultKind::ClockSkew, "Faults::clock"),
        (FaultKind::ClockStep, "Faults::clock"),
        (FaultKind::Kill, "Faults::process"),
        (FaultKind::MemoryLimit, "Faults::process"),
        (FaultKind::WrongType, "`json()` or `text()`"),
    ] {
        let faults = session(nth(kind, 1));
        assert_eq!(one_call(&faults).caller.unwrap(), 100);
        let why = refused(&faults);
        assert!(why.contains(to), "{kind}: {why}");
    }
}

#[test]
fn a_misspelt_port_is_not_delivered_and_says_so() {
    let faults = Faults::new(FaultPlan::new().add("shoop", FaultKind::Error, Schedule::Nth(1)));
    assert!(one_call(&faults).caller.is_ok());
    assert_eq!(refused(&faults), "there is no port `shoop`");
}

#[test]
fn latency_is_waited_for_before_the_target_runs() {
    let faults = session(nth(FaultKind::Latency, 1).millis(250));
    let seen = one_call(&faults);
    assert_eq!((seen.caller.unwrap(), seen.target, seen.waited), (100, 1, Duration::from_millis(250)));
    delivered(&faults);
}

#[test]
fn a_hang_ends_with_the_callers_patience() {
    let faults = session(nth(FaultKind::Hang, 1));
    let ran = AtomicU32::new(0);
    on(async {
        let port = faults.port("shop", |()| {
            ran.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, InjectedError>(()) }
        });
        assert!(tokio::time::timeout(Duration::from_secs(3600), port.call(())).await.is_err());
    });
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    delivered(&faults);
    let operation = &faults.operations()[0];
    assert!(operation.dropped && operation.outcome == OperationOutcome::Unknown);
}

#[test]
fn a_partition_holds_until_it_is_healed() {
    let faults = session(Fault::new("shop", FaultKind::Partition, Schedule::After(0)));
    on(async {
        let port = faults.port("shop", |()| async { Ok::<_, InjectedError>(()) });
        let healer = faults.clone();
        let waiting = async {
            let held = tokio::time::timeout(Duration::from_secs(60), port.call(())).await.unwrap();
            assert_eq!(held.unwrap_err().kind(), FaultKind::Partition);
            port.call(()).await.unwrap();
        };
        let healing = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            healer.heal();
        };
        both(waiting, healing).await;
    });
    delivered(&faults);
}

/// Polls two futures until both are done.
async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    let (mut first, mut second) = (false, false);
    std::future::poll_fn(|cx| {
        first = first || one.as_mut().poll(cx).is_ready();
        second = second || other.as_mut().poll(cx).is_ready();
        if first && second { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[test]
fn a_panic_is_recorded_before_it_is_thrown() {
    let faults = session(nth(FaultKind::Panic, 1));
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one_call(&faults).target));
    let message = *thrown.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "injected panic at `shop` [fault-0-shop#1-panic]");
    delivered(&faults);
}

#[test]
fn a_lost_reply_leaves_its_effect_behind() {
    for kind in [FaultKind::LostReply, FaultKind::Cut] {
        let faults = session(nth(kind, 1));
        let seen = one_call(&faults);
        assert_eq!(seen.target, 1, "{kind}: the target ran");
        assert!(seen.caller.unwrap_err().outcome_is_unknown());
        let operation = &faults.operations()[0];
        assert_eq!((operation.outcome, operation.executed), (OperationOutcome::Unknown, 1));
        delivered(&faults);
    }
}

#[test]
fn a_duplicate_runs_the_target_twice() {
    let faults = session(nth(FaultKind::Duplicate, 1));
    let seen = one_call(&faults);
    assert_eq!((seen.caller.unwrap(), seen.target), (100, 2));
    assert_eq!(faults.operations()[0].executed, 2);
    delivered(&faults);
    // What is moved into its call cannot be run again.
    let faults = session(nth(FaultKind::Duplicate, 1));
    let moved = Box::new(5);
    let once = on(faults.site("shop").run_once(move || async move { Ok::<_, InjectedError>(*moved) }));
    assert_eq!(once.unwrap(), 5);
    assert!(refused(&faults).contains("runs once only"));
}

#[test]
fn after_a_failure_of_its_own_an_answer_can_be_neither_lost_nor_damaged() {
    for kind in [FaultKind::LostReply, FaultKind::WrongUnit] {
        let faults = session(nth(kind, 1));
        let port = faults.port("shop", |()| async { Err::<u32, _>("sold out".to_owned()) }).json();
        assert_eq!(on(port.call(())).unwrap_err(), "sold out");
        assert_eq!(refused(&faults), "the operation failed of itself");
        assert_eq!(faults.operations()[0].outcome, OperationOutcome::Failed);
    }
}

#[test]
fn of_two_faults_on_one_call_the_second_says_what_kept_it_away() {
    let faults =
        Faults::new(FaultPlan::new().with(nth(FaultKind::Reset, 1)).with(nth(FaultKind::LostReply, 1)));
    assert!(one_call(&faults).caller.is_err());
    let report = faults.report();
    assert_eq!((report.delivered, report.undelivered), (1, 1));
    assert_eq!(report.faults[1].why, ["another fault ended the call before"]);
}

#[test]
fn an_error_knows_whether_anybody_looked() {
    fn seen(use_it: impl FnOnce(Result<u32, InjectedError>)) -> Seen {
        let faults = session(nth(FaultKind::Reset, 1));
        use_it(one_call(&faults).caller);
        faults.deliveries()[0].seen
    }
    assert_eq!(
        seen(|result| {
            let _ = result.ok();
        }),
        Seen::DroppedUnseen
    );
    assert_eq!(
        seen(|result| {
            let _ = result.unwrap_or_default();
        }),
        Seen::DroppedUnseen
    );
    assert_eq!(
        seen(|result| {
            let _ = format!("{:?}", result);
        }),
        Seen::Looked(1)
    );
    assert_eq!(
        seen(|result| {
            let _ = result.unwrap_err().status();
        }),
        Seen::Looked(1)
    );
    let faults = session(nth(FaultKind::Reset, 1));
    let kept = one_call(&faults).caller.unwrap_err();
    assert_eq!(faults.deliveries()[0].seen, Seen::NotYet);
    // Kept in another error it is still followed; turned into text at once it cannot be.
    let boxed: Box<dyn std::error::Error> = kept.into();
    assert_eq!(faults.deliveries()[0].seen, Seen::NotYet);
    drop(boxed);
    assert_eq!(faults.deliveries()[0].seen, Seen::DroppedUnseen);
    let text = session(nth(FaultKind::Reset, 1));
    let port = text.port("shop", |()| async { Ok::<(), String>(()) });
    drop(on(port.call(())));
    assert_eq!(text.deliveries()[0].seen, Seen::CannotTell);
}

#[test]
fn a_caller_that_gives_up_leaves_an_unknown_outcome() {
    let faults = Faults::none();
    on(async {
        let port = faults.port("shop", |()| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok::<_, InjectedError>(())
        });
        assert!(tokio::time::timeout(Duration::from_secs(1), port.call(())).await.is_err());
    });
    let operation = &faults.operations()[0];
    assert_eq!(
        (operation.outcome, operation.executed, operation.dropped),
        (OperationOutcome::Unknown, 0, true)
    );
    let counts = faults.report().ports["shop"];
    assert_eq!((counts.calls, counts.unknown, counts.running), (1, 1, 0));
}

#[test]
fn ports_count_from_many_tasks() {
    let faults = session(Fault::new("shop", FaultKind::Error, Schedule::Every(10)));
    let ran = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (faults, ran) = (faults.clone(), ran.clone());
            thread::spawn(move || {
                let port = faults.port("shop", |()| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, InjectedError>(())
                });
                (0..125).filter(|_| port.call_blocking(()).is_err()).count()
            })
        })
        .collect();
    let failed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!((failed, ran.load(Ordering::Relaxed)), (100, 900));
    let counts = faults.report().ports["shop"];
    assert_eq!((counts.calls, counts.ok, counts.failed, counts.executed), (1_000, 900, 100, 900));
}

#[test]
fn what_holds_a_task_cannot_hold_a_thread() {
    for kind in [FaultKind::Hang, FaultKind::Partition] {
        let faults = session(nth(kind, 1));
        let port = faults.port("shop", |()| Ok::<_, InjectedError>(()));
        port.call_blocking(()).unwrap();
        assert!(refused(&faults).contains("cannot be let go again"));
    }
}

#[test]
fn fail_points_belong_to_the_thread_or_test_that_armed_them() {
    let faults = session(nth(FaultKind::Error, 3));
    let armed = faults.arm_points();
    assert!(point("shop").is_ok());
    // Another thread has no armed session of its own.
    thread::spawn(|| assert!(point("shop").is_ok())).join().unwrap();
    on(async { assert!(point_async("shop").await.is_ok()) });
    assert_eq!(point("shop").unwrap_err().kind(), FaultKind::Error);
    drop(armed);
    assert!(point("shop").is_ok());
    assert_eq!(faults.report().ports["shop"].calls, 3);
    delivered(&faults);
}

#[test]
fn an_asynchronous_point_holds_the_task_and_not_the_thread() {
    let faults = session(nth(FaultKind::Latency, 1).millis(3_600_000));
    let _armed = faults.arm_points();
    // An hour on a paused clock: a thread that slept would never get here.
    on(async { point_async("shop").await.unwrap() });
    delivered(&faults);
}

#[test]
fn what_does_not_heal_is_told() {
    on(async {
        let faults = session(Fault::new("shop", FaultKind::Error, Schedule::After(0)));
        let port = faults.port("shop", |()| async { Ok::<_, String>(()) });
        assert!(port.call(()).await.is_err());
        let healed =
            faults.must_converge(Duration::from_secs(60), async || port.call(()).await).await.unwrap();
        assert_eq!(healed.asked, 3);
        let stuck = faults
            .must_converge(Duration::ZERO, || {
                std::future::ready(Err::<(), _>("two rows are missing".to_owned()))
            })
            .await;
        assert!(stuck.unwrap_err().to_string().ends_with("two rows are missing"));
    });
}

#[cfg(feature = "tower")]
#[test]
fn a_tower_service_is_a_port() {
    use std::task::{Context, Poll};
    use tower_layer::Layer;
    use tower_service::Service;

    #[derive(Clone)]
    struct Echo(Arc<AtomicU32>);

    impl Service<u32> for Echo {
        type Response = u32;
        type Error = String;
        type Future = std::future::Ready<Result<u32, String>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: u32) -> Self::Future {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(request))
        }
    }

    let ran = Arc::new(AtomicU32::new(0));
    let faults = Faults::new(
        FaultPlan::new().with(nth(FaultKind::RateLimited, 1).millis(900)).with(nth(FaultKind::Duplicate, 2)),
    );
    let mut service = FaultLayer::new(&faults, "shop").layer(Echo(ran.clone()));
    assert!(on(service.call(1)).unwrap_err().contains("retry after 900 ms"));
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    assert_eq!(on(service.call(2)), Ok(2));
    let report = faults.report();
    assert_eq!((report.delivered, report.undelivered), (1, 1));
    assert!(report.faults[1].why[0].contains("runs once only"));
}
