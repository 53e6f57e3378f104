//! Requests that are repeated under their key.

use super::*;
use crate::engine::{InterruptHow, Moment, Overlap};

fn charge() -> PipelineSpec {
    pipeline("an order")
        .stage(act("charge", "charged").sleep(SOON))
        .stage(act("ship", "shipped").after(["charge"]))
}

fn key(key: &str) -> RunOptions {
    watched().idempotency_key(key)
}

fn total(reports: &[RunReport], effect: &str) -> usize {
    reports.iter().map(|report| report.effect_count(effect)).sum()
}

/// Runs under one key: effects once, one answer.
fn once(t: &mut Bench<'_>, runs: &[RunOptions], overlap: Overlap) -> Result<(), Stop> {
    let reports = t.unaudited_runs(&charge(), runs, overlap)?;
    t.check_eq("charged over all runs", total(&reports, "charged"), 1);
    t.check_eq("shipped over all runs", total(&reports, "shipped"), 1);
    for report in &reports {
        t.check_eq("the caller of each run is told ok", report.end, RunEnd::Ok);
        t.check_eq("every caller gets the same answer", data(report, "ship"), data(&reports[0], "ship"));
        t.check_eq("nothing happens late", report.late_effects().count(), 0);
    }
    Ok(())
}

cases! {
    /// A request that is repeated has its effects once.
    "WORK-002" a_repeated_request_has_its_effects_once (Reliability, Idempotency) [Idempotency, SharedGraph] |t| {
        once(t, &[key("order-1"), key("order-1"), key("order-1")], Overlap::InTurn)?;
    }

    /// A request that arrives several times at once has its effects once.
    "WORK-002" requests_at_once_have_their_effects_once (Reliability, Idempotency) [Idempotency, SharedGraph] |t| {
        once(t, &vec![key("order-1"); 8], Overlap::Together)?;
        let staggered: Vec<_> = (0..4).map(|n| key("order-2").start_after_ms(n * 6)).collect();
        once(t, &staggered, Overlap::Together)?;
    }

    /// Every stage of a request with a key runs.
    "WORK-002" every_stage_of_a_request_with_a_key_runs (Reliability, SideEffect) [Idempotency] |t| {
        let report = t.run(&charge(), &key("order-1"))?;
        t.check_eq("what happens", effects(&report), vec!["charged", "shipped"]);
    }

    /// Another key is another request, however alike the keys are.
    "WORK-002" another_key_is_another_request (Reliability, Idempotency) [Idempotency, SharedGraph] |t| {
        let keys = ["a", "A", "a ", "tenant-0001/order/2026-01-14/1", "tenant-0001/order/2026-01-14/2", "é", "e\u{301}"];
        let runs: Vec<_> = keys.into_iter().map(key).collect();
        let reports = t.run_all(&charge(), &runs, Overlap::InTurn)?;
        for (name, report) in keys.into_iter().zip(&reports) {
            t.check_eq(&format!("charged under {name:?}"), report.effect_count("charged"), 1);
        }
    }

    /// A key that is used again for another request is refused, and the first request keeps its answer.
    "WORK-002" a_key_that_is_taken_is_refused_to_another_request (Reliability, Idempotency) [Idempotency, RequestCheck, SharedGraph, Snapshot] |t| {
        let asks = |cents: i64| key("order-1").data("cents", cents);
        let reports = t.unaudited_runs(&charge(), &[asks(100), asks(900), asks(100)], Overlap::InTurn)?;
        t.check_eq("the first is ok", reports[0].end, RunEnd::Ok);
        t.check_eq("another one under its key is refused", reports[1].end, RunEnd::Error);
        t.check_eq("the first once more is ok", reports[2].end, RunEnd::Ok);
        t.check_eq("and has its answer", data(&reports[2], "ship"), data(&reports[0], "ship"));
        t.check_eq("charged over all runs", total(&reports, "charged"), 1);
    }

    /// A request that failed can be repeated under its key.
    "WORK-002" a_failed_request_can_be_repeated (Reliability, Idempotency) [Idempotency, SharedGraph, Snapshot] |t| {
        let order = pipeline("fails at first")
            .stage(stage("check", Behavior::fail_if("down")))
            .stage(act("charge", "charged").after(["check"]));
        let runs = [key("order-1").data("down", true), key("order-1").data("down", false)];
        let reports = t.unaudited_runs(&order, &runs, Overlap::InTurn)?;
        t.check_eq("the first fails", reports[0].end, RunEnd::Error);
        t.check_eq("the second is ok", reports[1].end, RunEnd::Ok);
        t.check_eq("charged over both runs", total(&reports, "charged"), 1);
    }

    /// A request whose run was abandoned can be repeated under its key.
    "WORK-002" an_abandoned_request_can_be_repeated (Reliability, Idempotency) [Idempotency, SharedGraph, Abandon] |t| {
        let abandoned = key("order-1").interrupt(InterruptHow::Abandon, Moment::Start { stage: "charge".to_owned() });
        let reports = t.unaudited_runs(&charge(), &[abandoned, key("order-1")], Overlap::InTurn)?;
        t.check_eq("the second is ok", reports[1].end, RunEnd::Ok);
        t.check_eq("charged over both runs", total(&reports, "charged"), 1);
    }

    /// A request that waits for another under its key can be cancelled.
    "WORK-002" a_waiting_request_can_be_cancelled (Reliability, Idempotency) [Idempotency, SharedGraph, Cancel] |t| {
        let slow = pipeline("slow").stage(act("charge", "charged").sleep(LATER));
        let waits = key("order-1").start_after_ms(10).interrupt(InterruptHow::Cancel, Moment::After { ms: 20 });
        let reports = t.unaudited_runs(&slow, &[key("order-1"), waits], Overlap::Together)?;
        t.check_eq("the first is ok", reports[0].end, RunEnd::Ok);
        t.check_eq("the one that waits is cancelled", reports[1].end, RunEnd::Cancelled);
        t.check_eq("charged over both runs", total(&reports, "charged"), 1);
    }

    /// The control: without a key every request is one of its own.
    "WORK-002" requests_without_a_key_are_apart (Reliability, Idempotency) [SharedGraph] |t| {
        let reports = t.run_all(&charge(), &vec![quick(); 3], Overlap::InTurn)?;
        t.check_eq("charged over all runs", total(&reports, "charged"), 3);
    }
}
