//! Failures: who is told, who is stopped, and what is left of a run.

use super::*;

/// Two slow branches with side effects, one of which would take for ever, and whatever goes wrong beside them.
fn beside(wrong: Behavior) -> PipelineSpec {
    pipeline("one branch goes wrong")
        .stage(act("charge", "charged").sleep(LATER))
        .stage(act("export", "exported").sleep(NEVER))
        .stage(stage("check", wrong).sleep(SOON))
}

/// A stage that goes wrong, between one before and one after.
fn between(kind: StageKind, wrong: Behavior) -> PipelineSpec {
    pipeline(&format!("a {kind} stage goes wrong"))
        .stage(act("before", "before"))
        .stage(stage("wrong", wrong).kind(kind).after(["before"]))
        .stage(act("after", "after").after(["wrong"]))
}

fn stops_the_others(t: &mut Bench<'_>, wrong: Behavior, end: RunEnd) -> Result<(), Stop> {
    let report = t.run(&beside(wrong), &watched())?;
    t.check_eq("the caller is told", report.end, end);
    t.check_eq("nothing of the others happens", effects(&report), Vec::<&str>::new());
    Ok(())
}

fn fails_whatever_kind(t: &mut Bench<'_>, wrong: &Behavior) -> Result<(), Stop> {
    for kind in StageKind::ALL {
        let report = t.run(&between(*kind, wrong.clone()), &quick())?;
        t.check_eq(&format!("the caller is told of a {kind} stage"), report.end, RunEnd::Error);
        t.check_eq(&format!("the stage after a {kind} stage does not run"), report.effect_count("after"), 0);
    }
    Ok(())
}

cases! {
    /// A stage that fails, of whatever kind, fails its run, and the stages after it do not run.
    "DAG-009" a_failing_stage_fails_its_run (Reliability, StateChange) [] |t| {
        fails_whatever_kind(t, &Behavior::fail("card declined"))?;
    }

    /// A stage that raises fails its run, and the stages after it do not run.
    "DAG-009" a_raising_stage_fails_its_run (Reliability, StateChange) [] |t| {
        fails_whatever_kind(t, &Behavior::flaky(9, FlakyHow::Raise))?;
    }

    /// A stage that panics, or raises what nobody expects, fails its run and not the process.
    "AGENT-005" a_panicking_stage_fails_its_run (Reliability, StateChange) [] |t| {
        fails_whatever_kind(t, &Behavior::panic("index out of range"))?;
    }

    /// When one branch fails, nothing of the others happens after the caller was told.
    "DAG-009" a_failing_branch_stops_the_others (Reliability, SideEffect) [] |t| {
        stops_the_others(t, Behavior::fail("card declined"), RunEnd::Error)?;
    }

    /// When one branch raises, nothing of the others happens after the caller was told.
    "DAG-009" a_raising_branch_stops_the_others (Reliability, SideEffect) [] |t| {
        stops_the_others(t, Behavior::panic("lost"), RunEnd::Error)?;
    }

    /// When one branch cancels the run, nothing of the others happens after the caller was told.
    "DAG-009" a_cancelling_branch_stops_the_others (Reliability, SideEffect) [] |t| {
        stops_the_others(t, Behavior::Cancel { reason: "not needed".to_owned() }, RunEnd::Cancelled)?;
    }

    /// The control: when nothing goes wrong, everything happens, once.
    "DAG-009" a_run_that_is_left_alone_is_whole (Reliability, SideEffect) [] |t| {
        let alone = pipeline("left alone")
            .stage(act("charge", "charged").sleep(SOON))
            .stage(act("export", "exported").after(["charge"]));
        let report = t.run(&alone, &watched().timeout(NEVER))?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("what happened", effects(&report), vec!["charged", "exported"]);
    }

    /// The error of a run says what its stage said.
    "CONTRACT-004" an_error_names_its_cause (Observability, Trace) [] |t| {
        for (how, wrong) in [
            ("fails", Behavior::fail("card 4711 declined")),
            ("panics", Behavior::panic("card 4711 declined")),
        ] {
            let report = t.run(&between(StageKind::Work, wrong), &quick())?;
            let error = report.error.unwrap_or_default();
            let named = error.contains("card 4711 declined");
            t.check(&format!("the cause is in the error of a stage that {how}"), named, || format!("the error: {error:?}"));
        }
    }

    /// What ended well before another stage failed is reported as it was.
    "CONTRACT-003" partial_results_are_what_was_returned (Correctness, StateChange) [] |t| {
        let partial = pipeline("a part ends well")
            .stage(stage("price", Behavior::emit("total", 340)))
            .stage(stage("pay", Behavior::fail("declined")).after(["price"]).sleep(SOON))
            .stage(act("ship", "shipped").after(["pay"]));
        let report = t.run(&partial, &quick())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("what ended well", data(&report, "price"), Some(object(&[("total", 340.into())])));
        t.check_eq("the failed stage", report.stage("pay").map(|stage| stage.status), Some(StageStatus::Fail));
        let ship = report.stage("ship").map(|stage| stage.status);
        let not_run = matches!(ship, Some(StageStatus::Pending | StageStatus::Skip | StageStatus::Cancel));
        t.check("what did not run is not reported as run", not_run, || format!("{ship:?}"));
    }

    /// Two stages that fail at the same time are one failed run.
    "DAG-009" two_failures_at_once_are_one_failed_run (Reliability, StateChange) [] |t| {
        let both = pipeline("both fail")
            .stage(stage("a", Behavior::fail("a is wrong")).sleep(SOON))
            .stage(stage("b", Behavior::panic("b is wrong")).sleep(SOON))
            .stage(act("join", "joined").after(["a", "b"]));
        let report = t.run(&both, &watched())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing follows", report.effect_count("joined"), 0);
    }

    /// One failure among many stages that run side by side is not lost.
    "DAG-005" one_failure_among_many_is_not_lost (Reliability, StateChange) [] |t| {
        let mut many = pipeline("one of many fails");
        for n in 0..100 {
            let behavior = if n == 73 { Behavior::fail("the 74th") } else { Behavior::emit("n", n) };
            many = many.stage(stage(format!("s{n}"), behavior));
        }
        let many = many.stage(act("join", "joined").after((0..100).map(|n| format!("s{n}"))));
        let report = t.run(&many, &quick())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing follows", report.effect_count("joined"), 0);
    }
}
