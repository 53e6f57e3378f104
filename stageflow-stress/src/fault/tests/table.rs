//! Every kind twice: delivered, as what it strikes sees it, and not delivered although a call was due, which says so. The matches
//! have no arm for "all others": a kind without both does not compile.

use serde_json::json;

use super::answers::order;
use super::*;

/// A session whose one fault was delivered, and what the struck side itself saw of it.
struct Delivered {
    faults: Faults,
    saw: String,
    /// What it must have seen.
    means: &'static str,
}

fn seen(faults: &Faults, saw: impl ToString, means: &'static str) -> Delivered {
    Delivered { faults: faults.clone(), saw: saw.to_string(), means }
}

/// A port whose target counts its runs, called once by somebody who waits for a minute at most.
fn counted(kind: FaultKind, means: &'static str) -> Delivered {
    let faults = session(nth(kind, 1).millis(40));
    let ran = AtomicU32::new(0);
    let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        on(async {
            let port = faults.port("shop", |()| {
                ran.fetch_add(1, Ordering::Relaxed);
                async { Ok::<_, InjectedError>(()) }
            });
            tokio::time::timeout(Duration::from_secs(60), port.call(())).await
        })
    }));
    // What strikes a call keeps its caller from an answer, unless the call happens more often or later.
    let answered = matches!(called, Ok(Ok(Ok(()))));
    assert_eq!(answered, kind == FaultKind::Duplicate, "{kind}");
    seen(&faults, ran.load(Ordering::Relaxed), means)
}

/// A target that remembers what it sent beside what its caller got.
fn damaged_answer(kind: FaultKind) -> Delivered {
    // A field that nobody declared is seen by who takes any field.
    let faults = session(nth(kind, 2));
    let sent = Mutex::new(Vec::new());
    let port = faults
        .port("shop", |id: u32| {
            let answer = serde_json::to_value(order(id)).unwrap();
            sent.lock().unwrap().push(answer.clone());
            async move { Ok::<_, InjectedError>(answer) }
        })
        .json();
    let got = on(async {
        port.call(1).await.unwrap();
        port.call(2).await
    });
    let sent = sent.lock().unwrap();
    let other = got.map_or(true, |got| got != sent[1]);
    seen(
        &faults,
        format!("{} answers sent, the last one met as another: {other}", sent.len()),
        "2 answers sent, the last one met as another: true",
    )
}

/// A source that counts the pieces it was asked for.
fn pieces(kind: FaultKind, means: &'static str) -> Delivered {
    let faults = session(nth(kind, 1).amount(2).millis(100));
    let mut asked_at = Vec::new();
    on(async {
        let began = tokio::time::Instant::now();
        let mut source = 0..5;
        let mut answer = faults.chunks("shop");
        while let Some(Ok::<i32, InjectedError>(_)) = answer
            .pass(async {
                asked_at.push(began.elapsed().as_millis());
                source.next()
            })
            .await
        {}
    });
    let first_two: Vec<_> = asked_at.iter().take(2).collect();
    seen(&faults, format!("asked {} times, first at {first_two:?}", asked_at.len()), means)
}

fn delivered_case(kind: FaultKind) -> Delivered {
    use FaultKind::*;
    match kind {
        // The operation does not run.
        Error | Panic | Hang | Loss | Reset | Flap | Partition | Dns | TlsExpired | RateLimited
        | ServerError | AcceleratorLoss => counted(kind, "0"),
        LostReply => counted(kind, "1"),
        Duplicate => counted(kind, "2"),
        Latency => {
            let faults = session(nth(kind, 1).millis(250));
            let began_at = Mutex::new(None);
            on(async {
                let called = tokio::time::Instant::now();
                let port = faults.port("shop", |()| {
                    *began_at.lock().unwrap() = Some(called.elapsed().as_millis());
                    async { Ok::<_, InjectedError>(()) }
                });
                port.call(()).await.unwrap();
            });
            seen(&faults, format!("{:?}", began_at.into_inner().unwrap()), "Some(250)")
        }
        Cut => pieces(kind, "asked 2 times, first at [0, 0]"),
        SlowChunks => pieces(kind, "asked 6 times, first at [100, 200]"),
        MissingField | ExtraField | NullField | WrongType | WrongUnit | Stale | DuplicateItem
        | WrongEntity | Truncated | Malformed | PoisonPill | SchemaViolation | DateFlip => {
            damaged_answer(kind)
        }
        ClockSkew | ClockStep => {
            let faults = session(nth(kind, 1).millis(5_000));
            let true_time = ManualClock::new(SystemTime::UNIX_EPOCH);
            let read = faults.clock("shop", true_time).now();
            seen(
                &faults,
                format!("{:?} ahead", read.duration_since(SystemTime::UNIX_EPOCH).unwrap()),
                "5s ahead",
            )
        }
        DiskFull => {
            let faults = session(nth(kind, 1).amount(3));
            let mut file = faults.io("shop", Vec::new());
            file.write_all(b"letters").unwrap_err();
            seen(&faults, String::from_utf8_lossy(file.get_ref()), "let")
        }
        #[cfg(target_os = "linux")]
        Kill | Evict | Stop | MemoryLimit | FdLimit | CpuLimit | CpuThrottle | SlowDisk => {
            let (faults, saw, means) = processes::struck(kind);
            Delivered { faults, saw, means }
        }
        #[cfg(not(target_os = "linux"))]
        Kill | Evict | Stop | MemoryLimit | FdLimit | CpuLimit | CpuThrottle | SlowDisk => {
            seen(&session(nth(kind, 1)), "", "")
        }
    }
}

/// A session whose fault was due on a call and did not strike it, with what it must say.
fn undelivered_case(kind: FaultKind) -> (Faults, &'static str) {
    use FaultKind::*;
    match kind {
        Error | Panic | Hang | Loss | Flap | Partition | Dns | TlsExpired | RateLimited | ServerError
        | AcceleratorLoss | Reset => {
            // Another one at the same call comes first.
            let first = if kind == Reset { Flap } else { Reset };
            let faults = Faults::new(FaultPlan::new().with(nth(first, 1)).with(nth(kind, 1)));
            one_call(&faults).caller.unwrap_err();
            (faults, "another fault ended the call before")
        }
        Latency => {
            let faults = session(nth(kind, 1));
            faults.heal();
            one_call(&faults).caller.unwrap();
            (faults, "the faults were switched off")
        }
        Duplicate => {
            let faults = session(nth(kind, 1));
            on(faults.site("shop").run_once(|| async { Ok::<_, InjectedError>(()) })).unwrap();
            (faults, "runs once only")
        }
        SlowChunks => {
            let faults = session(nth(kind, 1));
            one_call(&faults).caller.unwrap();
            (faults, "an operation answers in one piece")
        }
        LostReply | Cut | MissingField | ExtraField | NullField | WrongType | WrongUnit | Stale
        | DuplicateItem | WrongEntity | Truncated | Malformed | PoisonPill | SchemaViolation | DateFlip => {
            let faults = session(nth(kind, 1));
            let port = faults.port("shop", |()| async { Err::<u32, _>("sold out".to_owned()) }).json();
            on(port.call(())).unwrap_err();
            (faults, "the operation failed of itself")
        }
        DiskFull => {
            let faults = session(nth(kind, 1).amount(1_000));
            faults.io("shop", Vec::new()).write_all(b"little").unwrap();
            (faults, "the disk never became full: 994 bytes were left")
        }
        ClockSkew | ClockStep => {
            let faults = session(nth(kind, 1).millis(0));
            faults.clock("shop", SystemClock).now();
            (faults, "0 milliseconds are no difference")
        }
        #[cfg(target_os = "linux")]
        Kill | Evict | Stop | MemoryLimit | FdLimit | CpuLimit | CpuThrottle | SlowDisk => {
            let faults = session(nth(kind, 1));
            let mut child = std::process::Command::new("true").spawn().unwrap();
            child.wait().unwrap();
            assert!(!faults.process("shop", &child).step());
            (
                faults,
                if kind.unavailable().is_some() {
                    "not available here"
                } else {
                    "the process had ended before"
                },
            )
        }
        #[cfg(not(target_os = "linux"))]
        Kill | Evict | Stop | MemoryLimit | FdLimit | CpuLimit | CpuThrottle | SlowDisk => {
            let faults = session(nth(kind, 1));
            one_call(&faults).caller.unwrap();
            (faults, "not available here")
        }
    }
}

#[test]
fn each_kind_is_delivered_as_what_it_strikes_sees_it() {
    for kind in FaultKind::ALL {
        if let Some(why) = kind.unavailable() {
            println!("{kind}: {why}");
            continue;
        }
        let case = delivered_case(*kind);
        assert_eq!(case.saw, case.means, "{kind}: {}", case.faults.report());
        let report = case.faults.report();
        assert_eq!((report.armed, report.delivered, report.undelivered), (1, 1, 0), "{kind}: {report}");
        assert_eq!(case.faults.deliveries()[0].kind, *kind);
    }
}

#[test]
fn each_kind_that_was_due_and_did_not_strike_says_so() {
    for kind in FaultKind::ALL {
        let (faults, means) = undelivered_case(*kind);
        let report = faults.report();
        let mine = report.faults.iter().find(|summary| summary.fault.kind == *kind).unwrap();
        assert_eq!((mine.delivered, mine.undelivered), (0, 1), "{kind}: {report}");
        assert!(report.all_delivered().is_err(), "{kind}");
        assert!(mine.why.join("; ").contains(means), "{kind}: {:?}", mine.why);
        let line = report.undelivered_lines().join("\n");
        assert!(line.contains(kind.as_str()) && line.contains("not delivered"), "{kind}: {line}");
    }
    // What no call was due on is told, too: `a_fault_whose_call_never_comes_is_not_delivered_and_says_so`.
    assert_eq!(
        json!(FaultKind::ALL.len()),
        json!(FaultClass::ALL.iter().map(|c| FaultKind::of(*c).count()).sum::<usize>())
    );
}
