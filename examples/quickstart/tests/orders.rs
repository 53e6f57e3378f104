//! Stress tests of the order pipeline. Each shows one thing that a test can record.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use quickstart::{StageError, deliver, parse, price, redact};
use stageflow_stress::prelude::*;
use stageflow_stress::quality::Confusion;

fn order(lines: u64) -> String {
    (1..=lines).map(|n| format!("article-{n}*{n}")).collect::<Vec<_>>().join("\n")
}

/// A check, a golden and a comparison with the target that the roadmap entry carries.
#[roadmap_test("DAG-005", category = Scalability, pipeline = Stress, oracle = Consistency)]
fn fan_out_keeps_every_output(cx: &TestContext) -> Outcome {
    let width = 500;
    let lines = parse(&order(width))?;
    let receipt = cx.measure_sync("price 500 lines", || price(&lines, |_| Some(100)))?;

    cx.check_eq("every output is merged", receipt.amounts.len() as u64, width);
    cx.check(
        "merged in the order of the lines",
        receipt.amounts.iter().zip(&lines).all(|(amount, line)| amount.0 == line.article),
    );
    cx.golden("totals", &serde_json_of(&[("lines", width), ("total", receipt.total)]));

    cx.meets_target(Measurement::count(receipt.amounts.len() as f64));
    Ok(())
}

/// A hypothesis that the test decides by repeating.
#[roadmap_test("CORE-001", category = Correctness, pipeline = Stress, oracle = Consistency)]
fn the_order_of_completion_does_not_matter(cx: &TestContext) -> Outcome {
    let lines = parse(&order(40))?;
    let first = price(&lines, |_| Some(7))?;
    let mut differing = 0;
    for round in 0..20_u64 {
        let again = price(&lines, |article| {
            // Later lines finish first in every other round.
            let n = article.rsplit('-').next()?.parse::<u64>().ok()?;
            std::thread::sleep(Duration::from_micros(if round % 2 == 0 { n } else { 40 - n } * 20));
            Some(7)
        })?;
        differing += u32::from(again != first);
    }
    cx.check_eq("runs that differ", differing, 0);
    let result = if differing == 0 { HypothesisResult::Confirmed } else { HypothesisResult::Rejected };
    cx.hypothesis(
        "the receipt does not depend on which line is priced first",
        result,
        "20 runs with jitter, compared whole",
    );
    Ok(())
}

/// What must be refused, and an error-level log line that belongs to the scenario.
#[roadmap_test("CONTRACT-003", category = Reliability, pipeline = Chaos, oracle = Schema, expect_errors("stage failed"))]
fn a_failing_stage_leaves_no_partial_receipt(cx: &TestContext) -> Outcome {
    let lines = parse(&order(10))?;
    let error = cx.check_err(
        "an unpriced article fails the run",
        price(&lines, |article| (article != "article-7").then_some(1)),
    );
    cx.check_eq(
        "the error names the article",
        error,
        Some(StageError::Unpriced { article: "article-7".to_owned() }),
    );
    cx.strength(
        "Stages return typed errors",
        "price",
        "The failing article was read from the error value, not from its text.",
    );
    Ok(())
}

/// Latency samples and a throughput; the report shows the percentiles that the number of samples supports.
#[roadmap_test("PERF-005", category = Performance, pipeline = Baseline, oracle = Timing, timeout = "60s")]
async fn latency_profile_of_small_orders(cx: &TestContext) -> Outcome {
    let lines = parse(&order(5))?;
    let started = Instant::now();
    let mut totals = Vec::new();
    for _ in 0..200 {
        totals.push(cx.measure("price 5 lines", async { price(&lines, |_| Some(3)) }).await?.total);
    }
    cx.check("every order has the same total", totals.iter().all(|total| *total == 45));
    cx.throughput("price 5 lines", 200, 0, started.elapsed());
    cx.note(
        Topic::Technical,
        "Each line is priced on a thread of its own: thread start dominates small orders.",
    );
    Ok(())
}

/// A finding below the severity that is red, scores of the developer experience, feedback on documentation.
#[roadmap_test("DX-002", category = Observability, pipeline = Baseline, oracle = Observability, expect_errors("stage failed"))]
fn error_messages_say_what_to_do(cx: &TestContext) -> Outcome {
    let malformed = parse("apple*3\npear x 2").map_err(|error| error.to_string());
    cx.check_eq(
        "a malformed line is named",
        malformed.map(|_| ()),
        Err("stage parse: line 2 is `pear x 2`; write `article*quantity`".to_owned()),
    );
    cx.dx_score(Aspect::Clarity, 4, "stages are plain functions");
    let unpriced = price(&parse("plum*1")?, |_| None).map_err(|error| error.to_string()).unwrap_err();
    if !unpriced.contains("plum") {
        cx.dx_score(Aspect::ErrorMessages, 3, "one of two messages names its subject");
        cx.finding(
            Finding::dx("the text of a pricing error does not name the article")
                .severity(Severity::Medium)
                .component("StageError")
                .description(format!("The message is `{unpriced}`; the article is in the value only."))
                .step("price an order with an article that has no price")
                .impact("whoever reads the log has to guess which of 500 lines it was")
                .workaround("print the error with `{:?}`")
                .recommend("name the article in `Display`")
                .evidence("message", "what the user reads", serde_json::json!({ "message": unpriced })),
        );
    }
    cx.documentation(
        DocumentationAspect::Coverage,
        "quickstart::price",
        "does not say that one failing line fails the order",
    );
    Ok(())
}

/// A measured share, compared with the roadmap's target of more than 99 % recall.
#[roadmap_test("GUARD-003", category = Security, pipeline = Adversarial, oracle = Security)]
fn addresses_are_redacted(cx: &TestContext) -> Outcome {
    let cases: Vec<String> =
        (0..400).map(|n| format!("order {n} for user.{n}+news@example-{n}.org, thanks")).collect();
    cx.fact(Fact::DataSet, "400 generated sentences with one address each");
    cx.save("mocks/data/adversarial/addresses_generated_400.txt", cases.join("\n"))?;
    let mut redaction = Confusion::default();
    for text in &cases {
        redaction.record(true, !redact(text).contains('@'));
    }
    cx.quality("redaction", &redaction);
    // 400 of 400 show more than 99 %; 100 of 100 would not, and be red.
    cx.meets_target(redaction.recall()?);
    cx.check_eq("text without an address stays as it is", redact("meet @ noon"), "meet @ noon".to_owned());
    Ok(())
}

/// Back-off on a paused clock: 31 s pass in no time. A task beside the body records a check of its own.
#[roadmap_test("WORK-005", category = Reliability, pipeline = Recovery, oracle(Timing, SideEffect), flavor = "current_thread", start_paused)]
async fn delivery_is_retried_with_back_off(cx: &TestContext) -> Outcome {
    let calls = AtomicU32::new(0);
    let attempt = |n: u32| {
        calls.fetch_add(1, Ordering::Relaxed);
        async move { if n < 6 { Err(format!("503 on attempt {n}")) } else { Ok(()) } }
    };
    let waited = std::cell::RefCell::new(Vec::new());
    let delivered = deliver(8, Duration::from_secs(1), attempt, |pause| {
        waited.borrow_mut().push(pause.as_secs());
        cx.sleep(pause)
    })
    .await;
    cx.check_eq("delivered on the sixth attempt", delivered, Ok(6));
    cx.check_eq("attempts counted by the receiver", calls.load(Ordering::Relaxed), 6);
    cx.check_eq("each pause is twice the one before", waited.into_inner(), vec![1, 2, 4, 8, 16]);

    let handle = cx.handle();
    let task = cx.spawn(async move { handle.check("a task can check too", true) });
    cx.check_ok("the task ended", task.await);
    cx.improvement(
        "jitter in the back-off",
        "clients that fail together come back together",
        "draw each pause between half and whole",
    );
    Ok(())
}

/// An observer: no test of its own, it runs after each test above over what that test recorded.
#[silent_failure_probe(after = "*")]
fn every_started_stage_ended(evidence: &Evidence, findings: &mut Findings) {
    let count = |text: &str| evidence.log_lines().iter().filter(|line| line.message == text).count();
    let started = count("stage started");
    let ended = count("stage completed") + count("stage failed");
    if started != ended {
        findings.add(
            Finding::silent_failure("stages started and never ended").severity(Severity::High).evidence(
                "start/end pairing",
                "lines in the log",
                serde_json::json!({ "started": started, "ended": ended }),
            ),
        );
    }
}

fn serde_json_of(pairs: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
}
