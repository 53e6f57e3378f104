use super::*;

fn levels(log: &Log<'_>) -> Vec<&'static str> {
    log.records.iter().map(|r| r.level.map_or("-", super::super::format::Level::as_str)).collect()
}

#[test]
fn a_traceback_below_a_record_is_joined_to_it_and_counted_as_understood() {
    let text = "2026-01-14 09:00:00,123 - app - ERROR - failed\nTraceback (most recent call last):\n  File \"a.py\", line 3, in f\n    raise ValueError(3)\nValueError: 3\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b.py\", line 1\nKeyError: 'x'\n2026-01-14 09:00:01,000 - app - INFO - next\n";
    let source = Source::new(text.as_bytes());
    let log = read(&source);
    assert_eq!(levels(&log), ["ERROR", "INFO"]);
    assert!(log.records[0].extra.starts_with("Traceback") && log.records[0].extra.ends_with("KeyError: 'x'"));
    assert_eq!((log.lines, log.blank, log.joined, log.unparsed), (12, 2, 8, 0));
    assert_eq!((log.records[0].line, log.records[0].lines, log.records[1].line), (1, 11, 12));
    assert_eq!(log.coverage(), Some(100.0));
}

#[test]
fn traces_of_rust_and_java_are_joined() {
    let text = "2026-01-14T09:00:00Z ERROR app: it broke\nthread 'main' panicked at src/main.rs:3:5:\nindex out of bounds\nstack backtrace:\n   0: std::panicking\n             at /rustc/lib.rs:1\nnote: run with `RUST_BACKTRACE=1`\n2026-01-14T09:00:01Z ERROR app: java\njava.io.IOException: disk\n\tat com.example.Main.run(Main.java:3)\nCaused by: java.lang.Error: deep\n\t... 3 more\n2026-01-14T09:00:02Z INFO app: end\n";
    let source = Source::new(text.as_bytes());
    let log = read(&source);
    assert_eq!(levels(&log), ["ERROR", "ERROR", "INFO"]);
    assert_eq!((log.joined, log.unparsed), (10, 0));
}

#[test]
fn what_no_format_explains_is_kept_and_counted() {
    let text = "starting\n2026-01-14T09:00:00Z INFO app: one\nlistening on port 8080\n2026-01-14T09:00:01Z INFO app: two\n";
    let source = Source::new(text.as_bytes());
    let log = read(&source);
    assert_eq!((log.records.len(), log.unparsed, log.orphans), (3, 2, 1));
    assert_eq!(log.records[1].extra, "listening on port 8080");
    assert_eq!(log.coverage(), Some(50.0));
}

#[test]
fn one_file_may_mix_formats() {
    let text = "{\"timestamp\":\"2026-01-14T09:00:00Z\",\"level\":\"INFO\",\"target\":\"app\",\"fields\":{\"message\":\"a \\\"b\\\"\",\"n\":3},\"spans\":[{\"name\":\"run\",\"id\":7},{\"name\":\"stage\"}]}\n\
        {\"asctime\":\"2026-01-14 09:00:00,1\",\"levelname\":\"WARNING\",\"name\":\"root\",\"message\":\"careful\",\"exc_info\":\"NoneType: None\"}\n\
        time=2026-01-14T09:00:00Z level=error msg=\"it broke\" run=7\n\
        [2026-01-14T09:00:00Z WARN  app] slow\n\
        22:36:09 [INFO] dag: Running stage: load\n";
    let source = Source::new(text.as_bytes());
    let log = read(&source);
    assert_eq!(levels(&log), ["INFO", "WARNING", "ERROR", "WARNING", "INFO"]);
    let first = &log.records[0];
    assert_eq!(first.message, "a \"b\"");
    assert_eq!(log.texts.get(first.span), "run{id=7}/stage");
    assert_eq!(log.field(first, log.texts.find("n").unwrap()), Some("3"));
    assert!(log.fields_of(&log.records[1]).is_empty());
    assert_eq!(log.records[2].message, "it broke");
    assert_eq!(describe(&log), "json 2, logfmt 1, env_logger 1, python 1");
}

#[test]
fn hostile_bytes_are_read_and_counted() {
    let long = "x".repeat(1 << 20);
    let mut bytes = b"2026-01-14T09:00:00Z INFO app: a\xff\xfeb\0c\r\n\x1b[2m2026-01-14T09:00:01Z\x1b[0m \x1b[31mERROR\x1b[0m app: red\r\n".to_vec();
    bytes.extend_from_slice(
        format!("2026-01-14T09:00:02Z INFO app: {long}\n2026-01-14T09:00:03Z INFO app: torn").as_bytes(),
    );
    let source = Source::new(&bytes);
    let log = read(&source);
    assert_eq!(levels(&log), ["INFO", "ERROR", "INFO", "INFO"]);
    assert_eq!((log.invalid_utf8, log.nuls, log.coloured, log.torn), (2, 1, 1, true));
    assert_eq!(log.records[0].message, "a\u{fffd}\u{fffd}b\0c");
    assert_eq!(log.records[1].message, "red");
    assert_eq!(log.records[2].message.len(), 1 << 20);
}

#[test]
fn without_heads_every_line_is_a_record() {
    let text = "server started\nlistening on port=8080\n  indented detail\nError: boom\n\n";
    let source = Source::new(text.as_bytes());
    let log = read(&source);
    assert_eq!((log.records.len(), log.unparsed, log.joined), (3, 0, 1));
    assert_eq!(log.records[1].extra, "  indented detail");
}

#[test]
fn broken_json_is_kept_as_text() {
    let text = "{\"level\":\"INFO\",\"message\":\"ok\"}\n{\"level\":\"INFO\",\"mess\n{\"a\":1}\n";
    let source = Source::new(text.as_bytes());
    let log = read(&source);
    assert_eq!((log.records.len(), log.unparsed), (1, 2));
    assert_eq!(log.records[0].extra.lines().count(), 2);
}
