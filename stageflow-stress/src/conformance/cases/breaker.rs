//! The circuit breaker, over several runs of one graph.

use super::*;
use crate::engine::Overlap;

/// A stage that fails when the run says so, and one after it.
fn fragile() -> PipelineSpec {
    pipeline("a fragile target")
        .stage(stage("pay", Behavior::fail_if("down")).effect("called"))
        .stage(act("next", "followed").after(["pay"]))
}

fn run(down: bool, wait: u64) -> RunOptions {
    quick().breaker(3, 100).data("down", down).start_after_ms(wait)
}

/// Runs in turn; for each whether it was ok, whether its stage was called, and whether something followed.
fn played(
    t: &mut Bench<'_>,
    pipeline: &PipelineSpec,
    runs: &[RunOptions],
) -> Result<Vec<(bool, bool, bool)>, Stop> {
    let reports = t.run_all(pipeline, runs, Overlap::InTurn)?;
    let facts = |report: &RunReport| {
        (report.end == RunEnd::Ok, report.effect_count("called") > 0, report.effect_count("followed") > 0)
    };
    Ok(reports.iter().map(facts).collect())
}

const FINE: (bool, bool, bool) = (true, true, true);
const FAILED: (bool, bool, bool) = (false, true, false);
const REFUSED: (bool, bool, bool) = (false, false, false);

cases! {
    /// After some failures in a row the breaker opens: the stage is refused, and a refusal is no success.
    "WORK-008" an_open_breaker_refuses (Reliability, StateChange) [Breaker, SharedGraph, Snapshot] |t| {
        let runs = [run(true, 0), run(true, 0), run(true, 0), run(false, 0), run(false, 0), run(false, 0)];
        let seen = played(t, &fragile(), &runs)?;
        t.check_eq("failures, then refusals", seen, vec![FAILED, FAILED, FAILED, REFUSED, REFUSED, REFUSED]);
    }

    /// Once its time is over the breaker lets the stage try again, and closes if it works.
    "WORK-008" a_breaker_closes_after_its_time (Reliability, StateChange) [Breaker, SharedGraph, Snapshot] |t| {
        let runs = [run(true, 0), run(true, 0), run(true, 0), run(false, 0), run(false, 160), run(false, 0)];
        let seen = played(t, &fragile(), &runs)?;
        t.check_eq("refused, then tried, then closed", seen, vec![FAILED, FAILED, FAILED, REFUSED, FINE, FINE]);
    }

    /// A success in between starts the count again.
    "WORK-008" a_success_resets_the_breaker (Reliability, StateChange) [Breaker, SharedGraph, Snapshot] |t| {
        let runs = [run(true, 0), run(true, 0), run(false, 0), run(true, 0), run(true, 0), run(false, 0)];
        let seen = played(t, &fragile(), &runs)?;
        t.check_eq("never refused", seen, vec![FAILED, FAILED, FINE, FAILED, FAILED, FINE]);
    }

    /// A stage is not refused because another failed.
    "WORK-008" each_stage_has_its_own_breaker (Reliability, StateChange) [Breaker, SharedGraph, Snapshot] |t| {
        let two = pipeline("one healthy, one fragile")
            .stage(act("ship", "shipped"))
            .stage(stage("pay", Behavior::fail_if("down")).after(["ship"]).effect("called"));
        // One failure opens it, so that no success in between can close it again.
        let runs = vec![run(true, 0).breaker(1, 100); 4];
        for report in t.run_all(&two, &runs, Overlap::InTurn)? {
            t.check_eq("the healthy stage runs", report.effect_count("shipped"), 1);
        }
    }
}
