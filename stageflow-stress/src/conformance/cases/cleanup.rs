//! Clean-ups, owed at the end of a run however that comes.

use super::*;
use crate::engine::{InterruptHow, Moment, Overlap};

/// Two stages that open something, one after the other, and then whatever happens.
fn opens(end: StageSpec) -> PipelineSpec {
    pipeline("opens and closes")
        .stage(act("pool", "pool opened").cleanup("pool closed"))
        .stage(act("session", "session opened").after(["pool"]).cleanup("session closed"))
        .stage(end.after(["session"]))
}

/// Both are closed, once, the last opened first.
fn closed(t: &mut Bench<'_>, what: &str, report: &RunReport) {
    let closed: Vec<&str> = effects(report).into_iter().filter(|name| name.ends_with("closed")).collect();
    t.check_eq(&format!("what is closed, in order ({what})"), closed, vec!["session closed", "pool closed"]);
}

cases! {
    /// A run that succeeds is cleaned up, after its last stage.
    "CORE-007" a_successful_run_is_cleaned_up (Reliability, SideEffect) [Cleanup] |t| {
        let report = t.run(&opens(act("work", "worked").sleep(SOON)), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        let order = vec!["pool opened", "session opened", "worked", "session closed", "pool closed"];
        t.check_eq("what happens", effects(&report), order);
    }

    /// A run that fails is cleaned up.
    "CORE-007" a_failed_run_is_cleaned_up (Reliability, SideEffect) [Cleanup] |t| {
        for (what, wrong) in [("fails", Behavior::fail("declined")), ("panics", Behavior::panic("lost"))] {
            let report = t.run(&opens(stage("work", wrong)), &quick())?;
            closed(t, what, &report);
        }
    }

    /// A run that is cancelled is cleaned up, whoever cancels it.
    "CORE-007" a_cancelled_run_is_cleaned_up (Reliability, SideEffect) [Cleanup, Cancel] |t| {
        let when = Moment::Start { stage: "work".to_owned() };
        let slow = opens(act("work", "worked").sleep(NEVER));
        let report = t.run(&slow, &quick().interrupt(InterruptHow::Cancel, when))?;
        closed(t, "from outside", &report);
        let itself = opens(stage("work", Behavior::Cancel { reason: "enough".to_owned() }));
        let report = t.run(&itself, &quick())?;
        closed(t, "by a stage", &report);
    }

    /// A run that is abandoned is cleaned up.
    "CORE-007" an_abandoned_run_is_cleaned_up (Reliability, SideEffect) [Cleanup, Abandon] |t| {
        let when = Moment::Start { stage: "work".to_owned() };
        let slow = opens(act("work", "worked").sleep(NEVER));
        // When its future is gone there is nobody left to be late for: only whether it happens is looked at.
        let report = t.unaudited(&slow, &watched().interrupt(InterruptHow::Abandon, when))?;
        closed(t, "abandoned", &report);
    }

    /// A stage that was entered and stopped is cleaned up too.
    "CORE-007" a_stopped_stage_is_cleaned_up (Reliability, SideEffect) [Cleanup] |t| {
        let stopped = pipeline("stopped after opening")
            .stage(act("holds", "held").cleanup("let go").sleep(NEVER))
            .stage(stage("check", Behavior::fail("declined")).sleep(SOON));
        let report = t.run(&stopped, &quick())?;
        t.check_eq("what happens", effects(&report), vec!["let go"]);
    }

    /// Each of several runs at once is cleaned up, and none before its own end.
    "DAG-010" every_run_at_once_is_cleaned_up (Reliability, SideEffect) [Cleanup, SharedGraph] |t| {
        let slow = opens(act("work", "worked").sleep(SOON));
        let runs: Vec<RunOptions> = (0..5).map(|n| quick().start_after_ms(n * 5)).collect();
        for report in t.run_all(&slow, &runs, Overlap::Together)? {
            let order = vec!["pool opened", "session opened", "worked", "session closed", "pool closed"];
            t.check_eq("what happens in each run", effects(&report), order);
        }
    }
}
