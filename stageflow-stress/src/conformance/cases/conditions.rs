//! Stages that run on a condition, or choose not to.

use serde_json::json;

use super::*;

/// A stage that decides, one that acts on a condition, and one that joins.
fn branch(decision: Value, equals: Value) -> PipelineSpec {
    pipeline("a condition")
        .stage(stage("decide", Behavior::emit("go", decision)).kind(StageKind::Route))
        .stage(act("branch", "branched").when("decide", "go", equals))
        .stage(act("join", "joined").after(["decide", "branch"]))
}

fn decided(t: &mut Bench<'_>, what: &str, pipeline: &PipelineSpec, branches: usize) -> Result<(), Stop> {
    let report = t.run(pipeline, &quick())?;
    t.check_eq(&format!("the run is ok ({what})"), report.end, RunEnd::Ok);
    t.check_eq(
        &format!("the branch runs if the condition holds ({what})"),
        report.effect_count("branched"),
        branches,
    );
    t.check_eq(&format!("the join runs once ({what})"), report.effect_count("joined"), 1);
    Ok(())
}

cases! {
    /// A stage runs if its condition holds.
    "DAG-008" a_condition_that_holds_runs_its_stage (Correctness, StateChange) [Conditions] |t| {
        decided(t, "true", &branch(json!(true), json!(true)), 1)?;
        decided(t, "text", &branch(json!("fast"), json!("fast")), 1)?;
        decided(t, "number", &branch(json!(7), json!(7)), 1)?;
    }

    /// A stage whose condition does not hold is skipped, and those after it go on.
    "ROUTE-004" a_condition_that_does_not_hold_skips_its_stage (Correctness, StateChange) [Conditions] |t| {
        decided(t, "false", &branch(json!(false), json!(true)), 0)?;
        decided(t, "another text", &branch(json!("slow"), json!("fast")), 0)?;
    }

    /// A condition compares values with their types.
    "DAG-008" conditions_compare_types (Correctness, StateChange) [Conditions] |t| {
        decided(t, "a number and its text", &branch(json!("7"), json!(7)), 0)?;
        decided(t, "true and its text", &branch(json!("true"), json!(true)), 0)?;
        decided(t, "another case", &branch(json!("Fast"), json!("fast")), 0)?;
    }

    /// A condition on a value that is not there does not hold.
    "ROUTE-004" a_missing_value_meets_no_condition (Correctness, StateChange) [Conditions] |t| {
        let mut absent = branch(json!(true), json!(true));
        absent.stages[0].behavior = Behavior::emit("other", 1);
        decided(t, "absent", &absent, 0)?;
        decided(t, "null", &branch(json!(null), json!(true)), 0)?;
    }

    /// Of two branches exactly one runs.
    "ROUTE-004" exactly_one_of_two_branches_runs (Correctness, SideEffect) [Conditions] |t| {
        for chosen in ["left", "right"] {
            let fork = pipeline("a fork")
                .stage(stage("route", Behavior::emit("to", chosen)).kind(StageKind::Route))
                .stage(act("left", "left").when("route", "to", "left"))
                .stage(act("right", "right").when("route", "to", "right"))
                .stage(act("join", "joined").after(["left", "right"]));
            let report = t.run(&fork, &quick())?;
            t.check_eq(&format!("what runs when {chosen} is chosen"), effects(&report), vec![chosen, "joined"]);
        }
    }

    /// A stage that skips itself is reported as skipped, and those after it run.
    "DAG-008" a_stage_may_skip_itself (Correctness, StateChange) [] |t| {
        let skipping = pipeline("skips itself")
            .stage(stage("cache", Behavior::Skip { reason: "nothing to do".to_owned() }))
            .stage(act("next", "acted").after(["cache"]));
        let report = t.run(&skipping, &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the stage after it runs", report.effect_count("acted"), 1);
        t.check_eq("it is reported as skipped", report.stage("cache").map(|s| s.status), Some(StageStatus::Skip));
    }
}
