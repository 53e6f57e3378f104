//! What comes in pieces or is read again and again: answers, files, clocks.

use super::*;

/// Reads an answer of five pieces: what came, and how it ended.
fn read_pieces(faults: &Faults) -> (u32, Option<InjectedError>, Duration) {
    on(async {
        let before = tokio::time::Instant::now();
        let mut source = 0..5;
        let mut answer = faults.chunks("shop");
        let mut read = 0;
        loop {
            match answer.pass(async { source.next() }).await {
                Some(Ok(_)) => read += 1,
                Some(Err(error)) => return (read, Some(error), before.elapsed()),
                None => return (read, None, before.elapsed()),
            }
        }
    })
}

#[test]
fn answers_in_pieces_break_off_end_early_or_come_slowly() {
    let cut = session(nth(FaultKind::Cut, 1).amount(2));
    let (read, error, _) = read_pieces(&cut);
    assert_eq!((read, error.unwrap().kind()), (2, FaultKind::Cut));
    delivered(&cut);

    let short = session(nth(FaultKind::Truncated, 1).amount(3));
    let (read, error, _) = read_pieces(&short);
    assert!(read == 3 && error.is_none(), "as if it were complete");
    delivered(&short);

    let slow = session(nth(FaultKind::SlowChunks, 1).millis(100));
    let (read, error, waited) = read_pieces(&slow);
    assert!(read == 5 && error.is_none() && waited >= Duration::from_millis(500), "{waited:?}");
    delivered(&slow);

    let reset = session(nth(FaultKind::Reset, 1));
    assert_eq!(read_pieces(&reset).0, 0);
    delivered(&reset);

    for kind in [FaultKind::Cut, FaultKind::Truncated] {
        let late = session(nth(kind, 1).amount(6));
        assert_eq!(read_pieces(&late).0, 5);
        assert_eq!(refused(&late), "the answer ended after 5 pieces");
    }
}

#[test]
fn a_disk_becomes_full_and_is_emptied_by_healing() {
    let faults = session(nth(FaultKind::DiskFull, 2).amount(3));
    let mut file = faults.io("shop", Vec::new());
    file.write_all(b"first").unwrap();
    let error = file.write_all(b"second").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.get_ref(), b"firstsec");
    delivered(&faults);
    faults.heal();
    file.write_all(b"third").unwrap();
    assert_eq!(file.into_inner(), b"firstsecthird");

    let never = session(nth(FaultKind::DiskFull, 1).amount(1_000));
    never.io("shop", Vec::new()).write_all(b"little").unwrap();
    assert_eq!(refused(&never), "the disk never became full: 994 bytes were left");
}

#[test]
fn readers_end_early_and_fail() {
    let faults = session(nth(FaultKind::Cut, 2));
    let mut text = String::new();
    let read = faults.io("shop", &b"0123456789"[..]).take(4).read_to_string(&mut text).unwrap();
    assert_eq!((read, text.as_str()), (4, "0123"));
    let broken = session(nth(FaultKind::Error, 1));
    let error = broken.io("shop", &b"0123456789"[..]).read_to_string(&mut text).unwrap_err();
    assert!(error.to_string().contains("[fault-0-shop#1-error]"));
    delivered(&broken);
    let other = session(nth(FaultKind::Dns, 1));
    other.io("shop", &b"x"[..]).read_to_string(&mut text).unwrap();
    assert_eq!(refused(&other), "`dns` cannot strike a read");
}

#[test]
fn clocks_are_apart_for_a_reading_or_from_then_on() {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let readings = |kind| {
        let faults = session(nth(kind, 2).millis(-5_000));
        let clock = faults.clock("shop", ManualClock::new(start));
        let apart: Vec<_> =
            (0..3).map(|_| start.duration_since(clock.now()).unwrap_or_default().as_secs()).collect();
        delivered(&faults);
        faults.heal();
        assert_eq!(clock.now(), start);
        apart
    };
    assert_eq!(readings(FaultKind::ClockSkew), [0, 5, 0]);
    assert_eq!(readings(FaultKind::ClockStep), [0, 5, 5]);
    let nothing = session(nth(FaultKind::ClockSkew, 1).millis(0));
    nothing.clock("shop", SystemClock).now();
    assert_eq!(refused(&nothing), "0 milliseconds are no difference");
}
