use super::*;
use crate::log::format::{SpanEvent, parse};

fn log() -> (tempfile::TempDir, LogFile) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| keep_in(&tempfile::tempdir().unwrap().keep()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.log");
    let file = OpenOptions::new().create_new(true).append(true).open(&path).unwrap();
    let log = LogFile::start(path, file, &Header::new().with("test", "a::b")).unwrap();
    (directory, log)
}

fn event(message: &str) -> LogEvent<'_> {
    LogEvent::new(Some(Level::Info), Route::Thread, "app", message)
}

#[track_caller]
fn read(text: &str) -> crate::log::format::ParsedLog<'_> {
    let log = parse(text);
    assert_eq!((log.unparsed, log.holes(), log.torn), (0, 0, false));
    log
}

#[test]
fn nothing_is_lost_by_thousands_of_threads_and_their_chunks_are_used_again() {
    let (_directory, log) = log();
    for _ in 0..200 {
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| (0..10).for_each(|n| log.write(&event(&format!("number {n}")))));
            }
        });
    }
    let chunks = log.shared.chunks().held.len();
    assert!(chunks <= 20 + 100, "2,000 threads took {chunks} chunks");
    let summary = log.end(None);
    assert_eq!((summary.records, summary.lost), (20_000, 0));
    assert_eq!(summary.routes, [("thread".to_owned(), 20_000)].into());
    let text = log.text();
    let parsed = read(&text);
    assert_eq!(parsed.records.len(), 20_000);
    assert!(parsed.records.is_sorted_by_key(|record| record.seq), "in the order of the numbers");
    assert_eq!(parsed.statement.get("records"), Some("20000"));
    assert_eq!(parsed.statement.get("lost"), Some("0"));
    assert!(log.shared.chunks().held.is_empty(), "all chunks were given back");
}

#[test]
fn a_log_that_is_read_while_it_is_written_has_each_record_once() {
    let (_directory, log) = log();
    let mut lengths = Vec::new();
    for n in 0..50 {
        lengths.push(log.length());
        log.write(&event(&format!("number {n}")));
    }
    assert!(lengths.is_sorted_by(|a, b| a < b) || lengths.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(parse(&log.read_from(lengths[49])).records[0].message, "number 49");
    let text = log.text();
    let messages: Vec<_> = read(&text).records.iter().map(|record| record.message.to_string()).collect();
    assert_eq!(messages, (0..50).map(|n| format!("number {n}")).collect::<Vec<_>>());
}

#[test]
fn what_comes_after_the_end_is_kept_and_counted_as_late() {
    let (directory, log) = log();
    log.write(&event("in time"));
    assert_eq!(log.end(None).records, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| log.write(&event("late")));
    });
    let path = log.path().to_owned();
    drop(log);
    let text = std::fs::read_to_string(path).unwrap();
    let parsed = read(&text);
    assert_eq!(parsed.records.len(), 2);
    assert_eq!(parsed.statement.get("late"), Some("1"));
    drop(directory);
}

#[test]
fn a_record_larger_than_a_chunk_is_whole() {
    let (_directory, log) = log();
    let long = "0123456789".repeat(1_000_000);
    log.write(&event(&long));
    log.write(&event("after"));
    let text = log.text();
    let parsed = read(&text);
    assert_eq!(parsed.records[0].message.len(), long.len());
    assert_eq!(parsed.records[1].message, "after");
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_disk_does_not_take_is_lost_and_counted() {
    let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let log = LogFile::new("/dev/full".into(), Rendering::new(file));
    (0..3).for_each(|_| log.write(&event("x")));
    let summary = log.end(None);
    assert_eq!((summary.records, summary.lost), (0, 3));
}

#[test]
fn spans_are_told_with_their_times_and_outcome_and_open_ones_are_named() {
    let (_directory, log) = log();
    let test = Arc::new(crate::capture::Active::new(log));
    let subscriber = tracing_subscriber::layer::SubscriberExt::with(
        tracing_subscriber::registry(),
        crate::capture::layer(),
    );
    let kept = tracing::subscriber::with_default(subscriber, || {
        let _tag = crate::capture::enter(&test);
        let outer = tracing::info_span!("run", id = 7);
        let _in = outer.enter();
        {
            let inner = tracing::info_span!("merge", outcome = tracing::field::Empty);
            inner.in_scope(|| tracing::warn!(n = 3_u64, ratio = 0.5, ok = true, "merged {}", "x"));
            inner.record("outcome", "ok");
        }
        drop(_in);
        outer
    });
    let log = &test.log;
    log.end(None);
    let text = log.text();
    let parsed = read(&text);
    let record = &parsed.records[0];
    assert_eq!((&*record.span, &*record.message), ("run{id=7}/merge", "merged x"), "{text}");
    assert_eq!(record.route, Route::Span);
    assert!(record.callsite.contains("logfile_tests.rs:"), "{text}");
    let fields: Vec<_> = record.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(fields, ["n=3", "ratio=0.5", "ok=true"]);
    let spans = crate::log::spans::spans(&parsed);
    let [outer, inner] = spans.as_slice() else { panic!("{text}") };
    assert_eq!((&*inner.name, inner.parent, inner.outcome.as_deref()), ("merge", outer.id, Some("ok")));
    assert_eq!((inner.entered, inner.closed.is_some()), (Some(1), true));
    assert!(inner.busy_nanos.unwrap() <= inner.nanos().unwrap());
    assert_eq!((outer.closed, outer.entered, &*outer.inside), (None, Some(1), ""), "{text}");
    assert_eq!(record.span_id, inner.id);
    assert!(parsed.spans.iter().any(|span| span.event == SpanEvent::Open));
    drop(kept);
}

#[test]
#[cfg(feature = "log")]
fn records_of_the_crate_log_take_the_way_of_events() {
    let (_directory, log) = log();
    assert_eq!(crate::capture::log_crate::install(), None);
    assert!(crate::capture::log_crate::install().unwrap().contains("another logger"));
    let test = Arc::new(crate::capture::Active::new(log));
    let _tag = crate::capture::enter(&test);
    let subscriber = tracing_subscriber::layer::SubscriberExt::with(
        tracing_subscriber::registry(),
        crate::capture::layer(),
    );
    ::log::warn!(target: "library", "outside {}", 1);
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("run").in_scope(|| ::log::error!("card 4111111111111111"));
    });
    let text = test.log.text();
    let parsed = read(&text);
    let [outside, inside] = parsed.records.as_slice() else { panic!("{text}") };
    assert_eq!((&*outside.target, &*outside.message, outside.route), ("library", "outside 1", Route::Thread));
    assert!(outside.callsite.contains("logfile_tests.rs:"), "{text}");
    assert_eq!((&*inside.span, inside.level, inside.route), ("run", Some(Level::Error), Route::Span));
    assert!(inside.message.starts_with("card {{REDACTED:card:"), "{text}");
}
