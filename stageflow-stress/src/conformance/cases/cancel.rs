//! Ends from outside: cancelling, abandoning, deadlines.

use super::*;
use crate::engine::{InterruptHow, Moment};

/// A chain of three beside a stage that would take for ever.
fn order() -> PipelineSpec {
    pipeline("an order")
        .stage(act("reserve", "reserved").sleep(SOON))
        .stage(act("charge", "charged").after(["reserve"]).sleep(SOON))
        .stage(act("ship", "shipped").after(["charge"]).sleep(SOON))
        .stage(act("report", "reported").sleep(NEVER))
}

const CHAIN: [(&str, &str); 3] = [("reserve", "reserved"), ("charge", "charged"), ("ship", "shipped")];

/// Ends the run at the start or at the end of each stage of the chain; nothing of the stages behind may happen.
fn at_every_point(t: &mut Bench<'_>, how: InterruptHow) -> Result<(), Stop> {
    for (at, (name, effect)) in CHAIN.into_iter().enumerate() {
        for start in [true, false] {
            let stage = name.to_owned();
            let when = if start { Moment::Start { stage } } else { Moment::End { stage } };
            let point = format!("{how} at the {} of {name}", if start { "start" } else { "end" });
            let report = t.run(&order(), &watched().interrupt(how, when))?;
            t.check_eq(&format!("the caller is told ({point})"), report.end, RunEnd::Cancelled);
            let behind = CHAIN[at + 1..].iter().map(|(_, effect)| report.effect_count(effect)).sum::<usize>();
            t.check_eq(&format!("no stage behind acts ({point})"), behind, 0);
            t.check_eq(
                &format!("the endless stage does not act ({point})"),
                report.effect_count("reported"),
                0,
            );
            let own = report.effect_count(effect);
            t.check(
                &format!("it acts at most once ({point})"),
                if start { own == 0 } else { own == 1 },
                || format!("`{effect}` happened {own} times"),
            );
        }
    }
    Ok(())
}

cases! {
    /// Wherever a run is cancelled, its caller is told and nothing more happens.
    "DAG-009" a_cancelled_run_stops_at_every_point (Reliability, SideEffect) [Cancel] |t| {
        at_every_point(t, InterruptHow::Cancel)?;
    }

    /// Wherever a run is abandoned, nothing more happens.
    "DAG-009" an_abandoned_run_stops_at_every_point (Reliability, SideEffect) [Abandon] |t| {
        at_every_point(t, InterruptHow::Abandon)?;
    }

    /// A run is cancelled at a time, in the middle of whatever it does.
    "DAG-009" a_cancelled_run_stops_at_any_time (Reliability, SideEffect) [Cancel] |t| {
        for ms in [0, 5, 25, 40] {
            let report = t.run(&order(), &watched().interrupt(InterruptHow::Cancel, Moment::After { ms }))?;
            t.check_eq(&format!("the caller is told (after {ms} ms)"), report.end, RunEnd::Cancelled);
            t.check_eq(&format!("the endless stage does not act (after {ms} ms)"), report.effect_count("reported"), 0);
        }
    }

    /// A stage that works is stopped, not waited for.
    "DAG-009" cancelling_does_not_wait_for_a_slow_stage (Reliability, SideEffect) [Cancel] |t| {
        let slow = pipeline("slow").stage(act("export", "exported").sleep(Duration::from_millis(400)));
        let when = Moment::After { ms: 15 };
        let report = t.run(&slow, &watched().interrupt(InterruptHow::Cancel, when))?;
        t.check_eq("the caller is told", report.end, RunEnd::Cancelled);
        t.check_eq("it does not act", report.effect_count("exported"), 0);
    }

    /// When the caller's deadline passes, nothing happens after it.
    "DAG-009" a_deadline_stops_every_stage (Reliability, Timing) [] |t| {
        let slow = pipeline("the deadline passes")
            .stage(act("charge", "charged").sleep(LATER))
            .stage(act("export", "exported").sleep(NEVER));
        let report = t.run(&slow, &watched().timeout(SOON))?;
        t.check_eq("the caller sees the deadline", report.end, RunEnd::Timeout);
        t.check_eq("nothing happens", effects(&report), Vec::<&str>::new());
    }

    /// A deadline that is kept changes nothing.
    "DAG-009" a_deadline_that_is_kept_changes_nothing (Reliability, Timing) [] |t| {
        let quick_enough = pipeline("the deadline is kept").stage(act("charge", "charged").sleep(SOON));
        let report = t.run(&quick_enough, &watched().timeout(NEVER))?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("charged", report.effect_count("charged"), 1);
    }

    /// A stage that takes longer than it may fails its run and does not act later.
    "WORK-007" a_stage_that_takes_too_long_fails (Reliability, Timing) [StageTimeout] |t| {
        let slow = pipeline("a slow stage")
            .stage(act("pay", "paid").sleep(LATER).timeout_ms(15))
            .stage(act("ship", "shipped").after(["pay"]));
        let report = t.run(&slow, &watched())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing happens, then or later", effects(&report), Vec::<&str>::new());
        t.check("it is not reported as done", report.stage("pay").is_none_or(|s| s.status != StageStatus::Ok), || {
            format!("{:?}", report.stage("pay"))
        });
    }

    /// A stage that keeps its deadline is not disturbed.
    "WORK-007" a_stage_that_keeps_its_deadline_is_ok (Reliability, Timing) [StageTimeout] |t| {
        let good = pipeline("a quick stage").stage(act("pay", "paid").sleep(SOON).timeout_ms(5_000));
        let report = t.run(&good, &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("paid", report.effect_count("paid"), 1);
    }

    /// The deadline of a stage holds for each of its attempts.
    "WORK-007" every_attempt_has_its_deadline (Reliability, Timing) [StageTimeout, Retry] |t| {
        let slow = pipeline("slow again and again").stage(act("pay", "paid").sleep(NEVER).timeout_ms(15));
        let report = t.run(&slow, &watched().max_attempts(3).backoff(5, 5))?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("attempts", attempts(&report, "pay"), 3);
    }
}
