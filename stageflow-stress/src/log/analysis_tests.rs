use serde_json::Value;

use super::super::detectors::ERROR_RULE;
use super::super::digest::DetectorOutcome as Outcome;
use super::super::excerpt;
use super::super::format::{Header, LogRecord, Route, write_header, write_record};
use super::super::trace::Kind;
use super::*;
use crate::classify::Severity;
use crate::finding::FindingType;

/// A log under construction: consecutive numbers, one record a millisecond.
#[derive(Default)]
struct Log(Vec<LogRecord<'static>>);

impl Log {
    fn add(mut self, level: Option<Level>, target: &str, span: &str, message: &str) -> Self {
        let n = self.0.len() as u64;
        self.0.push(LogRecord {
            seq: n + 1,
            micros: 1_768_381_200_000_000 + n * 1_000,
            level,
            route: if level.is_none() { Route::Child } else { Route::Span },
            thread: "worker-1".into(),
            span: span.to_owned().into(),
            target: target.to_owned().into(),
            message: message.to_owned().into(),
            ..LogRecord::new(Route::Span)
        });
        self
    }

    fn info(self, message: &str) -> Self {
        self.add(Some(Level::Info), "app", "", message)
    }

    fn error(self, message: &str) -> Self {
        self.add(Some(Level::Error), "app", "", message)
    }

    fn raw(mut self, text: &str) -> Self {
        for line in text.lines() {
            self = self.add(None, "python", "", line);
        }
        self
    }

    fn text(&self) -> String {
        let mut text = String::new();
        write_header(&mut text, &Header::new().with("test", "a::b"));
        for record in &self.0 {
            write_record(&mut text, record);
        }
        text
    }

    fn analyze(&self, passed: bool, expected: &[&str]) -> Analysis {
        let summary = LogSummary { records: self.0.len() as u64, ..LogSummary::default() };
        analyze(self.text().as_bytes(), &input(&summary, passed, expected))
    }
}

fn input<'a>(summary: &'a LogSummary, passed: bool, expected: &'a [&'a str]) -> AnalysisInput<'a> {
    AnalysisInput {
        test: "a::b",
        slug: "a__b",
        log: "results/logs/a__b.log",
        reproduce: "cargo test a::b -- --exact",
        passed: Some(passed),
        summary,
        expected,
        rules: None,
    }
}

fn outcome(analysis: &Analysis, id: &str) -> Outcome {
    analysis.digest.detectors.iter().find(|detector| detector.id == id).unwrap().outcome
}

#[test]
fn an_unannounced_error_in_a_passing_test_is_one_finding_however_often_it_occurs() {
    let log = Log::default().info("start").error("order 17 lost").info("go on").error("order 18 lost");
    let analysis = log.analyze(true, &[]);
    assert_eq!(analysis.findings.len(), 1);
    let finding = &analysis.findings[0];
    assert_eq!(
        (finding.kind, finding.severity, finding.rule.as_str()),
        (FindingType::LogIssue, Severity::Low, ERROR_RULE)
    );
    assert_eq!(finding.title, "an error was logged in a passing test: order <*> lost");
    assert_eq!(finding.evidence[0].data["count"], 2);
    assert_eq!(finding.evidence[0].data["line"], 5);
    let excerpt = finding.evidence[0].data["excerpt"].as_array().unwrap();
    assert!(excerpt.iter().any(|line| line.as_str().unwrap().starts_with(">5:")), "{excerpt:?}");
    assert_eq!(outcome(&analysis, "D2"), Outcome::Finding);
}

#[test]
fn errors_make_no_finding_if_announced_or_if_the_test_failed() {
    let log = Log::default().error("quota of 5 exceeded");
    let announced = log.analyze(true, &["quota of"]);
    assert!(announced.findings.is_empty() && announced.errors[0].expected);
    assert_eq!(outcome(&announced, "D2"), Outcome::Clean);
    let failed = log.analyze(false, &[]);
    assert!(failed.findings.is_empty() && !failed.errors[0].expected);
    assert_eq!(outcome(&failed, "D2"), Outcome::NotApplicable);
    let other = log.analyze(true, &["disk"]);
    assert_eq!(other.findings.len(), 1);
    assert_eq!(other.digest.errors.announced_but_absent, ["disk"]);
}

#[test]
fn an_announced_text_is_also_looked_for_in_fields() {
    let mut log = Log::default().error("stage failed");
    log.0[0].fields.push(("error".into(), "quota exceeded".into()));
    assert!(log.analyze(true, &["quota"]).findings.is_empty());
}

#[test]
fn what_is_lost_makes_absence_inconclusive() {
    let log = Log::default().info("one").info("two").info("three");
    let text = log.text();
    let whole = LogSummary { records: 3, ..LogSummary::default() };
    let clean = analyze(text.as_bytes(), &input(&whole, true, &[]));
    assert_eq!((outcome(&clean, "D1"), outcome(&clean, "D2")), (Outcome::Clean, Outcome::Clean));
    let holed = text
        .lines()
        .filter(|line| !line.ends_with("| two"))
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    let cases = [
        (text.clone(), LogSummary { lost: 1, ..whole.clone() }),
        (text.clone(), LogSummary { partial: Some("another subscriber".into()), ..whole.clone() }),
        (text.clone(), LogSummary { records: 4, ..whole.clone() }),
        (holed, LogSummary { records: 2, ..whole.clone() }),
        (text.trim_end().to_owned(), whole.clone()),
        (format!("{text}stray\n"), whole.clone()),
    ];
    for (text, summary) in cases {
        let analysis = analyze(text.as_bytes(), &input(&summary, true, &[]));
        assert_eq!(outcome(&analysis, "D1"), Outcome::Inconclusive, "{summary:?}\n{text}");
        assert_eq!(outcome(&analysis, "D2"), Outcome::Inconclusive, "{summary:?}\n{text}");
        assert!(!analysis.digest.loss.reasons.is_empty());
    }
    // What was seen is a finding, whatever else was lost.
    let log = Log::default().error("boom");
    let summary = LogSummary { records: 1, lost: 9, ..LogSummary::default() };
    assert_eq!(outcome(&analyze(log.text().as_bytes(), &input(&summary, true, &[])), "D2"), Outcome::Finding);
}

#[test]
fn a_python_traceback_on_raw_lines_is_one_error_with_its_chain() {
    let log = Log::default().info("start").raw(
        "Task exception was never retrieved\nTraceback (most recent call last):\n  File \"/app/a.py\", line 3, in run\n    go()\n\
         KeyError: 'id'\n\nDuring handling of the above exception, another exception occurred:\n\n\
         Traceback (most recent call last):\n  File \"/app/b.py\", line 9, in outer\nValueError: bad id 7\nbye",
    );
    let analysis = log.analyze(true, &[]);
    assert_eq!(analysis.errors.len(), 1);
    let error = &analysis.errors[0];
    assert_eq!(error.kind, Kind::Traceback);
    assert!(
        error.sample.starts_with("Traceback") && error.sample.ends_with("ValueError: bad id 7"),
        "{}",
        error.sample
    );
    assert_eq!(error.key, "Traceback (most recent call last): / ValueError: bad id <*>");
    assert_eq!(analysis.findings.len(), 1);
}

#[test]
fn a_record_takes_the_trace_that_follows_it_on_raw_lines() {
    let log = Log::default()
        .add(Some(Level::Error), "python/stageflow.dag", "", "stage merge failed")
        .add(Some(Level::Info), "app", "", "another source in between")
        .raw(
            "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nOSError: no space\nunrelated",
        );
    let analysis = log.analyze(true, &[]);
    assert_eq!(analysis.errors.len(), 1);
    assert_eq!(analysis.errors[0].key, "stage merge failed / OSError: no space");
    assert!(!analysis.errors[0].sample.contains("unrelated"));
}

#[test]
fn rust_panics_and_java_traces_are_joined() {
    let log = Log::default()
        .raw("thread 'main' (12) panicked at src/lib.rs:3:5:\nindex 9 out of bounds\nstack backtrace:\n   0: core::panic\n             at /rustc/x.rs:1:1\nnote: run with more\nafter")
        .raw("java.lang.IllegalStateException: gone\n\tat com.example.Main.run(Main.java:3)\nCaused by: java.io.IOException: closed\n\t... 3 more\nafter");
    let analysis = log.analyze(true, &[]);
    let kinds: Vec<_> = analysis.errors.iter().map(|error| (error.kind, error.key.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (Kind::Panic, "thread <*> (<*>) panicked at src/lib.rs:<*>: / index <*> out of bounds"),
            (Kind::Traceback, "java.lang.IllegalStateException: gone / java.io.IOException: closed"),
        ]
    );
    assert!(analysis.errors.iter().all(|error| !error.sample.contains("after")));
    // The panic has a finding of its own, made by the runtime.
    assert_eq!(analysis.findings.len(), 1);
}

#[test]
fn a_trace_below_error_level_is_listed_and_makes_no_finding() {
    let log = Log::default().add(
        Some(Level::Warning),
        "app",
        "",
        "retrying\nTraceback (most recent call last):\n  File \"x\"\nE: y",
    );
    let analysis = log.analyze(true, &[]);
    assert_eq!(analysis.errors[0].kind, Kind::TraceBelowError);
    assert!(analysis.findings.is_empty());
}

#[test]
fn context_is_chosen_by_span_then_target_then_file() {
    let mut log = Log::default();
    for n in 0..20 {
        log = log.add(Some(Level::Info), "noise", "", &format!("noise {n}")).add(
            Some(Level::Info),
            "app",
            "run/a",
            &format!("step {n}"),
        );
        if n == 10 {
            log = log.add(Some(Level::Error), "app", "run/a", "in span");
            log = log.add(Some(Level::Error), "noise", "", "by target");
            log = log.add(Some(Level::Error), "lonely", "run/b", "by file");
        }
    }
    let analysis = log.analyze(true, &[]);
    let of = |key: &str| analysis.errors.iter().find(|error| error.key == key).unwrap();
    assert_eq!(
        (of("in span").context_by, of("by target").context_by, of("by file").context_by),
        ("span", "target", "file")
    );
    let context = &of("in span").context;
    assert_eq!(context.len(), 11);
    assert!(context.iter().all(|(_, text, own)| text.contains("step") != *own));
    assert_eq!(of("by file").context.len(), 11);
}

#[test]
fn numbers_add_up_and_are_read_back() {
    let log =
        Log::default().info("a").error("b").raw("c").add(Some(Level::Critical), "panic", "", "d").info("e");
    let analysis = log.analyze(false, &[]);
    let digest = LogDigest::from_json(&analysis.stats_json()).unwrap();
    assert_eq!(digest, analysis.digest);
    assert_eq!(digest.levels.values().sum::<u64>(), 5);
    assert_eq!(
        (digest.levels["ERROR"], digest.levels["CRITICAL"], digest.levels["none"], digest.levels["TRACE"]),
        (1, 1, 1, 0)
    );
    assert_eq!(digest.targets.iter().map(|target| target.records).sum::<u64>(), 5);
    assert_eq!(digest.error_rate, Some(0.4));
    assert_eq!(digest.span_seconds, Some(0.004));
    assert_eq!(digest.records_per_second, Some(1250.0));
    assert_eq!((digest.lines, digest.parsed_percent), (8, Some(100.0)));
}

#[test]
fn a_rate_needs_a_span_and_an_empty_log_has_neither() {
    let one = Log::default().info("a").analyze(true, &[]);
    assert_eq!((one.digest.span_seconds, one.digest.records_per_second), (Some(0.0), None));
    let none = Log::default().analyze(true, &[]);
    assert_eq!((none.digest.span_seconds, none.digest.error_rate), (None, None));
    assert_eq!(outcome(&none, "D2"), Outcome::NotApplicable);
}

#[test]
fn findings_of_one_log_are_capped_and_the_rest_is_counted() {
    let mut log = Log::default();
    for word in ["alpha", "beta", "gamma", "delta", "eps"] {
        for other in ["one", "two", "three", "four", "five"] {
            log = log.error(&format!("{word} {other} broke"));
        }
    }
    let analysis = log.analyze(true, &[]);
    let filed = analysis.findings.iter().filter(|finding| finding.rule == ERROR_RULE).count();
    assert_eq!((filed, analysis.errors.len()), (20, 25));
    let d2 = &analysis.digest.detectors[1];
    assert!(d2.why.contains("and 5 more"), "{}", d2.why);
}

#[test]
fn files_say_what_ran_and_what_does_not_exist() {
    let log = Log::default().info("start").error("order 17 lost | <b> ```\n  at step 2").info("end");
    let analysis = log.analyze(true, &["never seen"]);
    insta::assert_snapshot!("analysis_md", analysis.markdown());
    insta::assert_snapshot!("errors_json", analysis.errors_json());
    insta::assert_snapshot!("stats_json", analysis.stats_json());
    let errors: Value = serde_json::from_str(&analysis.errors_json()).unwrap();
    assert_eq!(errors["errors"][0]["sample"], "order 17 lost | <b> ```\n  at step 2");
}

#[test]
fn the_excerpt_is_about_the_last_error() {
    let mut log = Log::default();
    for n in 0..50 {
        log = log.info(&format!("before {n}"));
    }
    log = log.error("boom");
    for n in 0..50 {
        log = log.info(&format!("after {n}"));
    }
    let shown = excerpt(&log.text(), 9);
    assert_eq!(shown.lines().count(), 9);
    let marked: Vec<&str> = shown.lines().filter(|line| line.starts_with("> ")).collect();
    assert!(marked.len() == 1 && marked[0].ends_with("| boom"), "{shown}");
    assert!(shown.contains("before 49") && shown.contains("after 2") && !shown.contains("after 3"));
    let early = excerpt(&Log::default().error("boom").info("x").info("y").text(), 9);
    assert_eq!(early.lines().count(), 3, "{early}");
    let none = excerpt(&Log::default().info("x").info("y").info("z").text(), 2);
    assert!(none.contains("| y") && none.contains("| z") && !none.contains("| x"), "{none}");
    assert_eq!(excerpt("", 5), "");
    assert_eq!(excerpt(&log.text(), 0), "");
}

#[test]
fn a_long_log_with_a_span_for_each_record_is_counted_whole() {
    let mut log = Log::default();
    for n in 0..60_000_u64 {
        let level = if n % 2 == 0 { Level::Error } else { Level::Info };
        log.0.push(LogRecord {
            seq: n + 1,
            micros: n,
            level: Some(level),
            route: Route::Span,
            thread: "t".into(),
            span: format!("span{n}").into(),
            target: "app".into(),
            message: format!("kind {}", (b'a' + (n % 23) as u8) as char).repeat(3).into(),
            ..LogRecord::new(Route::Span)
        });
    }
    let analysis = log.analyze(true, &[]);
    assert_eq!(analysis.digest.errors.occurrences, 30_000);
    assert_eq!(analysis.errors.len(), 23);
}

#[test]
fn traces_of_processes_that_write_side_by_side_stay_apart() {
    let mut log = Log::default();
    for n in 0..3 {
        for source in ["one", "two"] {
            let line = ["Traceback (most recent call last):", "  File \"x.py\", line 1", "ValueError: of "]
                [n]
                .to_owned();
            let line = if n == 2 { line + source } else { line };
            log = log.add(None, source, "", &line);
        }
    }
    let analysis = log.analyze(true, &[]);
    let samples: Vec<&str> = analysis.errors.iter().map(|error| error.sample.as_str()).collect();
    let trace = |of: &str| {
        format!("Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: of {of}")
    };
    assert_eq!(samples, [trace("one"), trace("two")]);
}

#[test]
fn two_tracebacks_in_a_row_are_two_errors() {
    let trace = "Traceback (most recent call last):\n  File \"x.py\", line 1\n";
    let analysis =
        Log::default().raw(&format!("{trace}KeyError: a\n{trace}ValueError: b")).analyze(true, &[]);
    let keys: Vec<&str> = analysis.errors.iter().filter_map(|error| error.key.split(" / ").nth(1)).collect();
    assert_eq!(keys, ["KeyError: a", "ValueError: b"]);
}

#[test]
fn an_announced_panic_is_expected() {
    let mut log = Log::default().add(Some(Level::Critical), "panic", "", "boom").add(
        Some(Level::Critical),
        "panic",
        "",
        "boom",
    );
    log.0[1].fields.push(("expected".into(), "true".into()));
    let analysis = log.analyze(true, &[]);
    let seen: Vec<_> =
        analysis.errors.iter().map(|error| (error.kind, error.expected, error.count)).collect();
    assert_eq!(seen, [(Kind::Panic, false, 1), (Kind::Panic, true, 1)]);
    assert!(analysis.findings.is_empty());
}

#[test]
fn samples_are_cut_and_still_begin_with_the_error() {
    let long = Log::default().error(&"é".repeat(100_000)).analyze(true, &[]);
    assert!(long.errors[0].sample.starts_with("éé") && long.errors[0].sample.len() <= 32 * 1024);
    let frames = "  frame\n".repeat(100_000);
    let deep = Log::default().error(&format!("boom\n{frames}")).analyze(true, &[]);
    assert!(deep.errors[0].sample.starts_with("boom\n  frame") && deep.errors[0].sample.ends_with("\n…"));
    assert!(deep.errors[0].sample.len() <= 33 * 1024);
    let lead = Log::default().error("\nsecond line").analyze(true, &[]);
    assert_eq!(lead.errors[0].sample, "\nsecond line");
}

#[test]
fn errors_beyond_the_limit_are_counted_and_not_written() {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    let mut log = Log::default();
    for n in 0..600 {
        let word: String = [letter(n), letter(n / 26), 'x'].iter().collect();
        log = log.error(&format!("{word} broke")).error(&format!("{word} broke"));
    }
    let analysis = log.analyze(false, &[]);
    let errors: Value = serde_json::from_str(&analysis.errors_json()).unwrap();
    assert_eq!(errors["errors"].as_array().unwrap().len(), 500);
    assert_eq!((&errors["unique"], &errors["occurrences"]), (&600.into(), &1200.into()));
    assert_eq!((&errors["omitted"]["unique"], &errors["omitted"]["occurrences"]), (&100.into(), &200.into()));
    assert!(analysis.markdown().contains("580 more errors are in"));
}
