//! Retry and back-off.

use super::*;
use crate::engine::{InterruptHow, Moment, Overlap};

/// A payment that fails as often as told, and a notification that comes after it.
fn payment(failures: u32, how: FlakyHow) -> PipelineSpec {
    pipeline(&format!("{how} {failures} times"))
        .stage(stage("pay", Behavior::flaky(failures, how)).kind(StageKind::Work).effect("tried"))
        .stage(act("notify", "notified").after(["pay"]))
}

fn heals(t: &mut Bench<'_>, how: FlakyHow) -> Result<(), Stop> {
    for (failures, allowed) in [(1, 2), (1, 5), (3, 5)] {
        let what = format!("{failures} failures, {allowed} attempts");
        let report = t.run(&payment(failures, how), &quick().max_attempts(allowed).backoff(2, 4))?;
        t.check_eq(&format!("the run is ok ({what})"), report.end, RunEnd::Ok);
        t.check_eq(&format!("tries ({what})"), report.effect_count("tried"), failures as usize + 1);
        t.check_eq(&format!("notified once ({what})"), report.effect_count("notified"), 1);
    }
    Ok(())
}

fn runs_out(t: &mut Bench<'_>, how: FlakyHow) -> Result<(), Stop> {
    let report = t.run(&payment(9, how), &quick().max_attempts(3).backoff(2, 4))?;
    t.check_eq(&format!("the caller is told ({how})"), report.end, RunEnd::Error);
    t.check_eq(&format!("tries ({how})"), report.effect_count("tried"), 3);
    t.check_eq(&format!("nobody is notified ({how})"), report.effect_count("notified"), 0);
    Ok(())
}

/// Times between the starts of attempts, in milliseconds.
fn gaps(report: &RunReport, stage: &str) -> Vec<f64> {
    let starts = report.stage(stage).map(|stage| stage.attempt_starts_ms.clone()).unwrap_or_default();
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Timers and clocks of different libraries differ by less than this, in milliseconds.
const SLACK: f64 = 2.0;

cases! {
    /// A stage that raises is run again until it works.
    "WORK-005" a_stage_that_raises_gets_its_attempts (Reliability, SideEffect) [Retry] |t| {
        heals(t, FlakyHow::Raise)?;
    }

    /// A stage that times out is run again until it works.
    "WORK-005" a_stage_that_times_out_gets_its_attempts (Reliability, SideEffect) [Retry] |t| {
        heals(t, FlakyHow::Timeout)?;
    }

    /// A stage that asks to be run again is run again.
    "WORK-005" a_stage_that_asks_for_a_retry_is_run_again (Reliability, SideEffect) [Retry] |t| {
        heals(t, FlakyHow::Retry)?;
    }

    /// Attempts that run out are a failure, and nothing follows.
    "WORK-005" attempts_that_run_out_are_a_failure (Reliability, StateChange) [Retry] |t| {
        runs_out(t, FlakyHow::Raise)?;
        runs_out(t, FlakyHow::Timeout)?;
    }

    /// A stage that asks for a retry to the end has not succeeded.
    "WORK-005" a_stage_that_keeps_asking_for_a_retry_fails (SilentFailures, StateChange) [Retry] |t| {
        runs_out(t, FlakyHow::Retry)?;
    }

    /// Without a retry facility configured, a stage that asks for a retry has not succeeded either.
    "WORK-005" a_retry_that_is_not_configured_is_no_success (SilentFailures, StateChange) [] |t| {
        let report = t.run(&payment(1, FlakyHow::Retry), &quick())?;
        t.check("the caller is told", report.end != RunEnd::Ok, || format!("the run ended {}", report.end));
        t.check_eq("nobody is notified", report.effect_count("notified"), 0);
    }

    /// An error that cannot heal is not tried again.
    "WORK-006" a_permanent_error_is_not_retried (Reliability, SideEffect) [Retry] |t| {
        let report = t.run(&payment(9, FlakyHow::Permanent), &quick().max_attempts(4).backoff(2, 4))?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("tries", report.effect_count("tried"), 1);
    }

    /// A stage that works at once is run once, whatever is configured, and so are its neighbours.
    "WORK-005" retry_repeats_only_what_failed (Reliability, SideEffect) [Retry] |t| {
        let mixed = payment(2, FlakyHow::Raise)
            .stage(act("steady", "steady"))
            .stage(act("join", "joined").after(["notify", "steady"]));
        let report = t.run(&mixed, &quick().max_attempts(5).backoff(2, 4))?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the steady stage runs once", report.effect_count("steady"), 1);
        t.check_eq("the join runs once", report.effect_count("joined"), 1);
    }

    /// What follows reads the output of the attempt that worked.
    "WORK-005" the_last_attempt_is_what_counts (Correctness, StateChange) [Retry] |t| {
        let reads = pipeline("reads the last attempt")
            .stage(stage("pay", Behavior::flaky(2, FlakyHow::Raise)))
            .stage(stage("read", Behavior::Echo).after(["pay"]));
        let report = t.run(&reads, &quick().max_attempts(3).backoff(2, 4))?;
        t.check_eq("what is read", value(&report, "read", "attempt"), Some(3.into()));
    }

    /// Each run of a graph has all its attempts, whatever earlier runs have used.
    "WORK-005" every_run_has_its_own_attempts (Reliability, SideEffect) [Retry, SharedGraph] |t| {
        let runs = vec![quick().max_attempts(3).backoff(2, 4); 4];
        for overlap in [Overlap::InTurn, Overlap::Together] {
            for report in t.run_all(&payment(2, FlakyHow::Raise), &runs, overlap)? {
                t.check_eq(&format!("the run is ok ({overlap})"), report.end, RunEnd::Ok);
            }
        }
    }

    /// Attempts wait, and each wait is twice as long as the one before.
    "WORK-005" back_off_grows (Reliability, Timing) [Retry, BackOff] |t| {
        let report = t.run(&payment(4, FlakyHow::Raise), &quick().max_attempts(5).backoff(10, 1_000))?;
        for (at, (gap, least)) in gaps(&report, "pay").into_iter().zip([10.0, 20.0, 40.0, 80.0]).enumerate() {
            t.check(&format!("wait {} is long enough", at + 1), gap + SLACK >= least, || {
                format!("waited {gap:.1} ms, configured {least} ms")
            });
        }
        t.check_eq("attempts", attempts(&report, "pay"), 5);
    }

    /// Waits stay below the configured limit: the shortest of several late waits is judged, so that a busy machine is not.
    "WORK-005" back_off_is_limited (Reliability, Timing) [Retry, BackOff] |t| {
        let report = t.run(&payment(9, FlakyHow::Raise), &quick().max_attempts(10).backoff(10, 20))?;
        let late: Vec<f64> = gaps(&report, "pay").into_iter().skip(4).collect();
        t.check_eq("late waits", late.len(), 5);
        let shortest = late.into_iter().fold(f64::INFINITY, f64::min);
        t.check("late waits are limited", shortest < 8.0 * 20.0, || {
            format!("the shortest was {shortest:.0} ms, the limit is 20 ms")
        });
    }

    /// A run that is cancelled while a stage waits for its next attempt makes none.
    "WORK-005" a_cancelled_run_makes_no_further_attempt (Reliability, SideEffect) [Retry, BackOff, Cancel] |t| {
        let options = watched().max_attempts(5).backoff(60, 60);
        let options = options.interrupt(InterruptHow::Cancel, Moment::After { ms: 20 });
        let report = t.run(&payment(9, FlakyHow::Raise), &options)?;
        t.check_eq("the caller is told", report.end, RunEnd::Cancelled);
        t.check_eq("tries", report.effect_count("tried"), 1);
    }

    /// A run that fails while a stage waits for its next attempt makes none.
    "WORK-005" a_failed_run_makes_no_further_attempt (Reliability, SideEffect) [Retry, BackOff] |t| {
        let failing = payment(9, FlakyHow::Raise).stage(stage("check", Behavior::panic("lost")).sleep(SOON));
        let report = t.run(&failing, &watched().max_attempts(2).backoff(60, 60))?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("tries", report.effect_count("tried"), 1);
    }
}
