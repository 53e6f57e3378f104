//! Guards, and work that they send back.

use super::*;

/// A draft, a stage that works on it, a guard that refuses as often as told, and what may happen only behind it.
fn guarded(refusals: u32, how: FlakyHow, allowed: u32) -> PipelineSpec {
    pipeline("a guard sends work back")
        .guard_retry("guard", "draft", allowed)
        .stage(stage("draft", Behavior::flaky(0, FlakyHow::Raise)).kind(StageKind::Agent).effect("drafted"))
        .stage(stage("polish", Behavior::Echo).after(["draft"]))
        .stage(
            stage("guard", Behavior::flaky(refusals, how))
                .kind(StageKind::Guard)
                .after(["draft", "polish"])
                .effect("asked"),
        )
        .stage(stage("publish", Behavior::Echo).after(["guard", "polish"]).effect("published"))
}

fn stops(t: &mut Bench<'_>, what: &str, guard: Behavior) -> Result<(), Stop> {
    let gate = pipeline(&format!("a guard that {what}"))
        .stage(stage("guard", guard).kind(StageKind::Guard))
        .stage(act("act", "acted").after(["guard"]));
    let report = t.run(&gate, &watched())?;
    t.check(&format!("the caller is told (the guard {what})"), report.end != RunEnd::Ok, || {
        "the run is ok".to_owned()
    });
    t.check_eq(&format!("nothing passes (the guard {what})"), report.effect_count("acted"), 0);
    Ok(())
}

cases! {
    /// A guard that refuses, raises, panics, times out, cancels, or asks for another attempt lets nothing pass.
    "GUARD-004" only_a_guard_that_agrees_lets_data_pass (Security, Permission) [] |t| {
        stops(t, "refuses", Behavior::fail("not allowed"))?;
        stops(t, "raises", Behavior::flaky(9, FlakyHow::Raise))?;
        stops(t, "times out", Behavior::flaky(9, FlakyHow::Timeout))?;
        stops(t, "panics", Behavior::panic("policy is broken"))?;
        stops(t, "cancels", Behavior::Cancel { reason: "not allowed".to_owned() })?;
        stops(t, "asks for another attempt", Behavior::Retry { message: "later".to_owned() })?;
    }

    /// The control: a guard that agrees lets data pass.
    "GUARD-004" a_guard_that_agrees_lets_data_pass (Correctness, Permission) [] |t| {
        let gate = pipeline("a guard that agrees")
            .stage(stage("guard", Behavior::emit("allowed", true)).kind(StageKind::Guard))
            .stage(act("act", "acted").after(["guard"]));
        let report = t.run(&gate, &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("what happens", effects(&report), vec!["acted"]);
    }

    /// Work that a guard sends back is done again, and passes once the guard agrees.
    "AGENT-006" work_that_is_sent_back_is_done_again (Reliability, SideEffect) [GuardRetry] |t| {
        for refusals in [0_u32, 1, 2] {
            let times = refusals as usize + 1;
            let what = format!("{refusals} refusals");
            let report = t.run(&guarded(refusals, FlakyHow::Fail, 4), &watched())?;
            t.check_eq(&format!("the run is ok ({what})"), report.end, RunEnd::Ok);
            t.check_eq(&format!("drafts ({what})"), report.effect_count("drafted"), times);
            t.check_eq(&format!("the guard is asked ({what})"), report.effect_count("asked"), times);
            t.check_eq(&format!("published ({what})"), report.effect_count("published"), 1);
        }
    }

    /// What passes is the work that the guard agreed to, not an earlier one.
    "AGENT-006" the_latest_work_is_what_passes (Correctness, StateChange) [GuardRetry] |t| {
        let report = t.run(&guarded(2, FlakyHow::Fail, 4), &watched())?;
        t.check_eq("what was polished last", value(&report, "polish", "attempt"), Some(3.into()));
        let reader = report.stage("publish").and_then(|stage| stage.seen.get("polish")).cloned();
        t.check_eq("what is published", reader, Some(object(&[("attempt", 3.into())])));
    }

    /// A guard that refuses as often as it may be asked has refused.
    "AGENT-005" a_guard_that_keeps_refusing_stops_the_run (Security, Permission) [GuardRetry] |t| {
        let report = t.run(&guarded(9, FlakyHow::Fail, 3), &watched())?;
        t.check("the caller is told", report.end != RunEnd::Ok, || "the run is ok".to_owned());
        t.check_eq("the guard is asked", report.effect_count("asked"), 3);
        t.check_eq("drafts", report.effect_count("drafted"), 3);
        t.check_eq("nothing passes", report.effect_count("published"), 0);
    }

    /// Stages beside the way from the draft to the guard are not run again.
    "DAG-003" only_the_way_to_the_guard_is_run_again (Reliability, SideEffect) [GuardRetry] |t| {
        let beside = guarded(2, FlakyHow::Fail, 4).stage(act("bill", "billed"));
        let report = t.run(&beside, &watched())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("billed", report.effect_count("billed"), 1);
    }
}
