//! Tools: consent, failure, deadline, undo.

use super::*;
use crate::engine::{InterruptHow, Moment, ToolSpec};

/// A stage that calls the tool `pay`, and one after it.
fn calls(tool: ToolSpec) -> PipelineSpec {
    let name = tool.name.clone();
    pipeline("a tool is called")
        .tool(tool)
        .stage(stage("call", Behavior::tool(name)).kind(StageKind::Work))
        .stage(act("next", "followed").after(["call"]))
}

/// Three tools in a row, then an end that is not good.
fn saga(undo_of_second_fails: bool, end: Behavior) -> PipelineSpec {
    let second = ToolSpec::new("charge").effect("charged").undo("refunded");
    pipeline("a saga")
        .tool(ToolSpec::new("reserve").effect("reserved").undo("released"))
        .tool(if undo_of_second_fails { second.undo_fails() } else { second })
        .tool(ToolSpec::new("ship").effect("shipped").undo("returned"))
        .stage(stage("reserve", Behavior::tool("reserve")))
        .stage(stage("charge", Behavior::tool("charge")).after(["reserve"]))
        .stage(stage("ship", Behavior::tool("ship")).after(["charge"]))
        .stage(stage("confirm", end).after(["ship"]))
}

const DONE: [&str; 3] = ["reserved", "charged", "shipped"];
const UNDONE: [&str; 6] = ["reserved", "charged", "shipped", "returned", "refunded", "released"];

fn denied(t: &mut Bench<'_>, what: &str, options: RunOptions) -> Result<(), Stop> {
    let report = t.run(&calls(ToolSpec::new("pay").effect("paid").approval()), &options)?;
    t.check_eq(&format!("nothing happens ({what})"), effects(&report), Vec::<&str>::new());
    t.check(&format!("the caller is told ({what})"), report.end != RunEnd::Ok, || {
        format!("the run ended {}", report.end)
    });
    Ok(())
}

cases! {
    /// A call of a tool acts once, and its stage goes on.
    "WORK-001" a_tool_acts_once (Correctness, SideEffect) [Tools] |t| {
        let report = t.run(&calls(ToolSpec::new("pay").effect("paid")), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("what happens", effects(&report), vec!["paid", "followed"]);
    }

    /// A tool that does not exist fails the stage that calls it.
    "WORK-001" an_unknown_tool_fails_its_stage (Reliability, StateChange) [Tools] |t| {
        let unknown = pipeline("an unknown tool")
            .tool(ToolSpec::new("pay").effect("paid"))
            .stage(stage("call", Behavior::tool("pya")))
            .stage(act("next", "followed").after(["call"]));
        let report = t.run(&unknown, &quick())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing happens", effects(&report), Vec::<&str>::new());
    }

    /// A tool that fails fails the stage that calls it.
    "WORK-009" a_failing_tool_fails_its_stage (Reliability, StateChange) [Tools] |t| {
        let report = t.run(&calls(ToolSpec::new("pay").effect("tried").failures(9)), &quick())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing follows", effects(&report), vec!["tried"]);
    }

    /// A tool that needs consent acts once it has it.
    "GUARD-004" a_tool_acts_with_consent (Correctness, Permission) [Tools, Approval] |t| {
        let tool = ToolSpec::new("pay").effect("paid").approval();
        let report = t.run(&calls(tool), &quick().approve("pay", true))?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("what happens", effects(&report), vec!["paid", "followed"]);
    }

    /// A tool that was denied does not act, and its run does not succeed.
    "GUARD-004" a_denied_tool_does_not_act (Security, Permission) [Tools, Approval] |t| {
        denied(t, "denied", watched().approve("pay", false))?;
    }

    /// No answer is no consent.
    "GUARD-004" silence_is_no_consent (Security, Permission) [Tools, Approval] |t| {
        denied(t, "no answer", watched())?;
        denied(t, "consent to another tool", watched().approve("refund", true))?;
    }

    /// A call that takes too long fails its stage and does not act later.
    "WORK-007" a_slow_tool_does_not_act_later (Reliability, Timing) [Tools, ToolTimeout] |t| {
        let report = t.run(&calls(ToolSpec::new("pay").effect("paid").takes(70, Some(15))), &watched())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing happens, then or later", effects(&report), Vec::<&str>::new());
    }

    /// A run that fails undoes its calls, newest first, each once.
    "WORK-010" a_failed_run_is_undone (Reliability, SideEffect) [Tools, Undo] |t| {
        let report = t.run(&saga(false, Behavior::fail("not confirmed")), &watched().undo_on_failure())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("what happens", effects(&report), UNDONE.to_vec());
    }

    /// A run that panics undoes its calls as well.
    "WORK-010" a_panicking_run_is_undone (Reliability, SideEffect) [Tools, Undo] |t| {
        let report = t.run(&saga(false, Behavior::panic("lost")), &watched().undo_on_failure())?;
        t.check_eq("what happens", effects(&report), UNDONE.to_vec());
    }

    /// A run that is cancelled undoes its calls.
    "WORK-003" a_cancelled_run_is_undone (Reliability, SideEffect) [Tools, Undo, Cancel] |t| {
        let mut endless = saga(false, Behavior::Echo);
        endless.stages[3] = endless.stages[3].clone().sleep(NEVER);
        let when = Moment::Start { stage: "confirm".to_owned() };
        let report = t.run(&endless, &watched().undo_on_failure().interrupt(InterruptHow::Cancel, when))?;
        t.check_eq("the caller is told", report.end, RunEnd::Cancelled);
        t.check_eq("what happens", effects(&report), UNDONE.to_vec());
    }

    /// A run that succeeds is not undone.
    "WORK-010" a_successful_run_is_not_undone (Reliability, SideEffect) [Tools, Undo] |t| {
        let report = t.run(&saga(false, Behavior::emit("confirmed", true)), &watched().undo_on_failure())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("what happens", effects(&report), DONE.to_vec());
    }

    /// An undo that fails keeps no other from running, and the caller is told of it.
    "WORK-003" an_undo_that_fails_keeps_no_other (Reliability, SideEffect) [Tools, Undo] |t| {
        let report = t.run(&saga(true, Behavior::fail("not confirmed")), &watched().undo_on_failure())?;
        t.check_eq("what happens", effects(&report), UNDONE.to_vec());
        let error = report.error.unwrap_or_default();
        t.check("the error names the undo that failed", error.contains("charge"), || format!("the error: {error}"));
    }

    /// A call that failed is not undone: there is nothing to undo.
    "WORK-010" a_failed_call_is_not_undone (Reliability, SideEffect) [Tools, Undo] |t| {
        let half = pipeline("the second call fails")
            .tool(ToolSpec::new("reserve").effect("reserved").undo("released"))
            .tool(ToolSpec::new("charge").undo("refunded").failures(9))
            .stage(stage("reserve", Behavior::tool("reserve")))
            .stage(stage("charge", Behavior::tool("charge")).after(["reserve"]));
        let report = t.run(&half, &watched().undo_on_failure())?;
        t.check_eq("what happens", effects(&report), vec!["reserved", "released"]);
    }
}
