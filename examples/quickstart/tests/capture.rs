//! Stress tests of what the pipeline logs: that nothing personal is in it, that nothing is missing in it, and that it is
//! enough to follow a decision.
//!
//! Each test logs; an observer, which runs after it, judges the log that was captured.

use std::collections::BTreeMap;

use quickstart::{parse, price, redact};
use stageflow_stress::prelude::*;

/// A customer writes what no log should hold. The pipeline redacts addresses itself; capture sees to the rest.
#[roadmap_test("OBS-006", category = Security, pipeline = Adversarial, oracle = Security)]
fn nothing_personal_is_logged(cx: &TestContext) -> Outcome {
    for n in 0..100 {
        let text =
            format!("ship to customer-{n}@shop.example, card 4111 1111 1111 1111, call +49 30 555{n:04}");
        tracing::info!(n, original = text, redacted = redact(&text), "an order with a note");
    }
    cx.check("the pipeline's own guard replaces addresses", !redact("a@shop.example").contains('@'));
    Ok(())
}

/// Judges the log of the test above: nothing of it is left, and how often something was replaced is a metric.
#[silent_failure_probe(after = "OBS-006")]
fn no_record_holds_what_is_personal(evidence: &Evidence, findings: &mut Findings) {
    let mut replaced = 0;
    for line in evidence.log_lines() {
        let texts = line.fields.iter().map(|(_, value)| value.as_str()).chain([line.message.as_str()]);
        for text in texts {
            replaced += text.matches("{{REDACTED:").count();
            if text.contains("@shop.example") || text.contains("4111 1111") || text.contains("+49 30") {
                // The finding says where, not what.
                findings.add(
                    Finding::bug("a log record holds personal data")
                        .severity(Severity::Critical)
                        .component(line.target.as_str())
                        .description(format!(
                            "a record of {} holds an address, a card or a number",
                            line.target
                        )),
                );
            }
        }
    }
    // 100 records with three secrets in the original, and two that the pipeline leaves in its own version.
    if replaced != 500 {
        findings.add(
            Finding::bug("redaction missed something")
                .severity(Severity::High)
                .description(format!("{replaced} of 500 secrets were replaced")),
        );
    }
}

/// Eight threads log as fast as they can.
#[roadmap_test("OBS-005", category = Scalability, pipeline = Stress, oracle = Observability)]
fn a_flood_of_records_is_complete(cx: &TestContext) -> Outcome {
    let run = tracing::info_span!("flood", threads = 8);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let run = run.clone();
            scope.spawn(move || {
                let _inside = run.enter();
                (0..2_000_u64).for_each(|n| tracing::debug!(thread, n, "flood"));
            });
        }
    });
    cx.metric("records", 16_000.0, "records");
    Ok(())
}

/// Judges the log of the test above: every number of every thread is there once.
#[silent_failure_probe(after = "OBS-005")]
fn every_record_arrived_once(evidence: &Evidence, findings: &mut Findings) {
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in evidence.log_lines().iter().filter(|line| line.message == "flood") {
        let field =
            |name: &str| line.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        if let (Some(thread), Some(n)) = (field("thread"), field("n")) {
            *seen.entry((thread, n)).or_default() += 1;
        }
    }
    let twice = seen.values().filter(|count| **count != 1).count();
    if seen.len() != 16_000 || twice > 0 || evidence.partial_capture().is_some() {
        findings.add(
            Finding::bug("records are missing or doubled under load")
                .severity(Severity::High)
                .description(format!("{} of 16,000 records arrived, {twice} more than once", seen.len())),
        );
    }
}

/// Prices an order and logs what it decided by, enough to decide again.
#[roadmap_test("OBS-013", category = Observability, pipeline = Baseline, oracle = Observability)]
fn a_price_can_be_computed_again_from_the_log(cx: &TestContext) -> Outcome {
    let lines = parse("apple*3\npear*2\nplum*5")?;
    let receipt = price(&lines, |article| {
        let cents = article.len() as u64 * 10;
        tracing::info!(article, cents, "decided a price");
        Some(cents)
    })?;
    for line in &lines {
        tracing::info!(article = line.article, quantity = line.quantity, "ordered");
    }
    tracing::info!(total = receipt.total, "decided a total");
    cx.check_eq("the total", receipt.total, 430);
    Ok(())
}

/// Computes the total from nothing but the log of the test above.
#[silent_failure_probe(after = "OBS-013")]
fn the_total_follows_from_the_log(evidence: &Evidence, findings: &mut Findings) {
    let told = |message: &str, name: &str| -> Vec<(String, u64)> {
        let lines = evidence.log_lines().iter().filter(|line| line.message == message);
        lines
            .filter_map(|line| {
                let fields: BTreeMap<_, _> = line.fields.iter().cloned().collect();
                Some((fields.get("article").cloned().unwrap_or_default(), fields.get(name)?.parse().ok()?))
            })
            .collect()
    };
    let prices: BTreeMap<String, u64> = told("decided a price", "cents").into_iter().collect();
    let ordered = told("ordered", "quantity");
    let again: Option<u64> = ordered.iter().map(|(article, n)| Some(prices.get(article)? * n)).sum();
    let total = told("decided a total", "total").first().map(|(_, total)| *total);
    if ordered.is_empty() || again.is_none() || again != total {
        findings.add(
            Finding::bug("the log does not hold what the decision rests on")
                .severity(Severity::High)
                .description(format!("from the log: {again:?}; decided: {total:?}")),
        );
    }
}
