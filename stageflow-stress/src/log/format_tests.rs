use super::*;

fn plain(message: &str) -> LogRecord<'_> {
    LogRecord {
        seq: 7,
        micros: 1_768_381_200_000_123,
        nanos: Some(1_000_123_456),
        level: Some(Level::Info),
        route: Route::Span,
        thread: "worker-1".into(),
        span: "run/merge".into(),
        span_id: 3,
        parent_id: 1,
        target: "my_pipeline::merge".into(),
        callsite: "src/merge.rs:17".into(),
        message: message.into(),
        fields: vec![("stage".into(), "sum".into()), ("why".into(), "two words".into())],
    }
}

#[track_caller]
fn round_trip(records: &[LogRecord<'_>]) {
    let header = Header::new().with("test", "a::b").with("note", "x: y\n# test: z");
    let mut text = String::new();
    write_header(&mut text, &header);
    for record in records {
        write_record(&mut text, record);
    }
    let log = parse(&text);
    assert_eq!(log.header, header, "{text}");
    assert_eq!(log.records, records, "{text}");
    assert_eq!((log.unparsed, log.torn), (0, false), "{text}");
    assert_eq!(log.lines, text.lines().count() as u64);
}

#[test]
fn a_record_is_one_readable_line() {
    let mut text = String::new();
    write_record(&mut text, &plain("merged 3 outputs"));
    write_record(
        &mut text,
        &LogRecord { level: None, route: Route::Child, thread: "".into(), ..plain("a\n\nb") },
    );
    insta::assert_snapshot!(text, @r#"
    7 2026-01-14T09:00:00.000123Z +1.000123456 INFO     span   worker-1 run/merge #3<1 my_pipeline::merge @src/merge.rs:17 stage=sum why="two words" | merged 3 outputs
    7 2026-01-14T09:00:00.000123Z +1.000123456 -        child  - run/merge #3<1 my_pipeline::merge @src/merge.rs:17 stage=sum why="two words" | a
      |
      | b
    "#);
}

#[test]
fn everything_that_is_written_is_read_back() {
    const TEXTS: &[&str] = &[
        "",
        " ",
        "-",
        "--",
        "|",
        " | ",
        "a | b",
        "\n",
        "\n\n",
        "a\n",
        "\na",
        "  | b",
        "\n  | b",
        "=",
        "a=b",
        "\"",
        "\\",
        "\\n",
        "\\u{41}",
        "a\"b",
        "tab\tbed",
        "\r\n",
        "\u{1b}[31mred\u{1b}[0m",
        "\0",
        "\u{85}",
        "\u{2028}x",
        "\u{202e}drow",
        "# test: other",
        "7 2026-01-14T09:00:00.000123Z INFO span - - t | x",
        " lead",
        "trail ",
        "ünïcödé 🦀",
        "{}",
        "```",
        "\u{feff}",
        "\u{a0}",
    ];
    let mut records = Vec::new();
    for (n, text) in TEXTS.iter().enumerate() {
        let other = TEXTS[(n * 7 + 3) % TEXTS.len()];
        records.push(LogRecord {
            seq: n as u64,
            level: Level::ALL.get(n % 7).copied(),
            route: Route::ALL[n % 4],
            thread: other.into(),
            span: (*text).into(),
            callsite: other.into(),
            span_id: n as u64 % 3,
            parent_id: (n as u64 % 3) * (n as u64 % 2),
            target: TEXTS[(n * 5 + 1) % TEXTS.len()].into(),
            fields: vec![((*text).into(), other.into()), (other.into(), (*text).into())],
            ..plain(text)
        });
    }
    for record in &records {
        round_trip(std::slice::from_ref(record));
    }
    round_trip(&records);
}

#[test]
fn random_text_is_read_back() {
    // A small generator, so that the same texts come every time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    const ALPHABET: &[&str] = &[
        "a", "Z", "0", " ", "  ", "\n", "\r", "\t", "|", "=", "\"", "\\", "-", "#", ":", "{", "}", "\u{0}",
        "é", "\u{2029}",
    ];
    for _ in 0..2_000 {
        let mut text = || (0..next(12)).map(|_| ALPHABET[next(20) as usize]).collect::<String>();
        let fields = vec![(text().into(), text().into()), (text().into(), text().into())];
        let record = LogRecord {
            thread: text().into(),
            span: text().into(),
            target: text().into(),
            callsite: text().into(),
            message: text().into(),
            fields,
            ..plain("")
        };
        round_trip(&[record.clone(), plain("between"), record]);
    }
}

#[test]
fn a_cut_last_line_is_counted_and_not_trusted() {
    let mut text = String::new();
    write_record(&mut text, &plain("whole"));
    write_record(&mut text, &plain("cut here"));
    for end in text.find('\n').unwrap() + 2..text.len() {
        let log = parse(&text[..end]);
        assert_eq!(log.records.len(), 1, "cut at {end}");
        assert_eq!((log.unparsed, log.torn, log.lines), (1, true, 2), "cut at {end}");
    }
}

#[test]
fn what_is_no_record_is_counted() {
    let mut text = String::new();
    write_record(&mut text, &plain("one"));
    text.push_str(
        "stray\n  | its continuation\n\n# late: header\n7 2026-01-14T09:00:00Z LOUD span - - t | x\n",
    );
    write_record(&mut text, &plain("two"));
    let log = parse(&text);
    assert_eq!(log.records.iter().map(|record| &*record.message).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((log.unparsed, log.lines), (5, 7));
    assert_eq!(log.at_line, [1, 7]);
    assert!(log.header.0.is_empty());
}

#[test]
fn nothing_is_an_empty_log() {
    for text in ["", "\n", "# a: b\n\n"] {
        let log = parse(text);
        assert!(log.records.is_empty() && !log.torn);
        assert_eq!(log.unparsed, 0, "{text:?}");
        assert_eq!(log.lines, text.lines().count() as u64);
    }
    let torn = parse("# a: b");
    assert_eq!((torn.unparsed, torn.lines, torn.torn), (1, 1, true));
}

#[test]
fn times_before_the_epoch_and_after_the_last_year_are_bounded() {
    assert_eq!(micros_of(UNIX_EPOCH - Duration::from_secs(1)), 0);
    assert_eq!(micros_of(UNIX_EPOCH + Duration::from_micros(1_768_381_200_000_123)), 1_768_381_200_000_123);
    assert_eq!(timestamp(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(timestamp(u64::MAX), "9999-12-31T23:59:59.999999Z");
}

#[test]
fn a_header_is_found_by_its_key_and_cannot_be_left() {
    let mut text = String::new();
    write_header(&mut text, &Header::new().with("test", "a::b").with("a: b", "x\n# seed: 1"));
    let log = parse(&text);
    assert_eq!(log.header.get(FORMAT_KEY), Some("2"));
    assert_eq!(log.header.get("test"), Some("a::b"));
    assert_eq!(log.header.get("a_ b"), Some("x\n# seed: 1"));
    assert_eq!(log.header.get("seed"), None);
}

#[test]
fn a_file_of_the_first_version_is_read() {
    let text = "# stageflow-stress log: 1\n# test: a::b\n\n\
        1 2026-01-14T09:00:00.000123Z INFO     span   worker-1 run/merge my_pipeline::merge stage=sum n=3 | merged\n\
        2 2026-01-14T09:00:00.000456Z -        child  - - python | a\n  | b\n";
    let log = parse(text);
    assert_eq!((log.unparsed, log.records.len(), log.holes()), (0, 2, 0));
    let record = &log.records[0];
    assert_eq!((record.nanos, record.span_id, &*record.callsite), (None, 0, ""));
    assert_eq!((&*record.target, record.fields.len()), ("my_pipeline::merge", 2));
    let mut again = String::new();
    write_header(&mut again, &log.header);
    log.records.iter().for_each(|record| write_record(&mut again, record));
    assert_eq!(again, text);
}

#[test]
fn the_loss_statement_is_no_record_and_a_later_one_replaces_it() {
    let mut text = String::new();
    write_record(&mut text, &plain("one"));
    write_statement(&mut text, &Header(vec![("records".into(), "1".into()), ("why".into(), "a\nb".into())]));
    write_record(&mut text, &LogRecord { seq: 8, ..plain("after") });
    write_statement(&mut text, &Header(vec![("records".into(), "2".into())]));
    let log = parse(&text);
    assert_eq!((log.unparsed, log.records.len(), log.holes()), (0, 2, 6));
    assert_eq!((log.statement.get("records"), log.statement.get("why")), (Some("2"), None));
    let cut = &text[..text.find("\n#= why").unwrap() + 1];
    assert_eq!(parse(cut).statement.get("records"), Some("1"));
}

#[test]
fn a_span_record_is_no_event_and_keeps_its_place_in_the_numbers() {
    let mut text = String::new();
    for (n, event) in SpanEvent::ALL.iter().enumerate() {
        write_span(&mut text, *event, &LogRecord { seq: n as u64 + 1, level: None, ..plain("merge") });
    }
    let log = parse(&text);
    assert_eq!((log.unparsed, log.records.len(), log.holes()), (0, 0, 0), "{text}");
    assert_eq!(log.spans.iter().map(|span| span.event).collect::<Vec<_>>(), SpanEvent::ALL);
    assert_eq!(log.spans[0].record, LogRecord { seq: 1, level: None, ..plain("merge") });
}
