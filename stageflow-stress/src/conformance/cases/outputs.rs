//! Outputs: what a stage returned is what everybody reads, for ever.

use serde_json::json;

use super::*;
use crate::engine::compare;

/// One source, a branch that adds to what it reads, and a branch that reads a little later.
fn branches(add: Behavior) -> PipelineSpec {
    pipeline("a source and two branches")
        .stage(stage("source", Behavior::emit("items", json!(["ordered"]))))
        .stage(stage("adds", add).after(["source"]).sleep(Duration::from_millis(5)))
        .stage(stage("reads", Behavior::Echo).after(["source"]).sleep(Duration::from_millis(40)))
}

/// Two stages return the same key; a third looks it up.
fn look_up(slow: &str) -> PipelineSpec {
    let sleep = |name: &str| if name == slow { Duration::from_millis(30) } else { Duration::ZERO };
    pipeline("a look-up")
        .stage(stage("cache", Behavior::emit("price", "from cache")).sleep(sleep("cache")))
        .stage(stage("store", Behavior::emit("price", "from store")).sleep(sleep("store")))
        .stage(stage("reads", Behavior::read("price")).after(["cache", "store"]))
}

/// A value passes a stage unchanged: returned, read, reported.
fn passes(t: &mut Bench<'_>, values: &[(&str, Value)]) -> Result<(), Stop> {
    for (what, value) in values {
        let through = pipeline(what)
            .stage(stage("source", Behavior::emit("v", value.clone())))
            .stage(stage("reads", Behavior::Echo).after(["source"]));
        let report = t.run(&through, &quick())?;
        t.check_eq(
            &format!("{what} is read as it was returned"),
            data(&report, "reads"),
            Some(json!({ "v": value })),
        );
    }
    Ok(())
}

pub(super) fn numbers() -> Vec<(&'static str, Value)> {
    vec![
        ("2^53 + 1", json!(9_007_199_254_740_993_u64)),
        ("the least integer", json!(i64::MIN)),
        ("the greatest integer", json!(i64::MAX)),
        ("a small fraction", json!(0.1)),
        ("the least positive fraction", json!(f64::from_bits(1))),
        ("zero", json!(0)),
        ("an identity as number", json!(1_234_567_890_123_456_789_u64)),
    ]
}

pub(super) fn texts() -> Vec<(&'static str, Value)> {
    vec![
        ("an empty text", json!("")),
        ("a text beyond ASCII", json!("Grüße, 東京, 🦀, e\u{301} and é")),
        ("control characters", json!("a\u{0}b\tc\r\nd\u{7f}")),
        ("a long text", json!("pipeline ".repeat(12_000))),
        ("white space around", json!("  kept \n")),
        ("what looks like something else", json!("null")),
        ("JSON in a text", json!("{\"a\":[1,2]}")),
    ]
}

pub(super) fn shapes() -> Vec<(&'static str, Value)> {
    let nested = (0..40).fold(json!({ "end": true }), |inner, _| json!({ "in": inner }));
    vec![
        ("null", Value::Null),
        ("an empty list", json!([])),
        ("an empty object", json!({})),
        ("null in an object", json!({ "kept": null, "n": 1 })),
        ("a list of everything", json!([null, true, -1, "", [], {}])),
        ("depth", nested),
        ("an empty key", json!({ "": 1, " ": 2 })),
    ]
}

cases! {
    /// A branch that changes its input in place changes nobody else's.
    "CORE-008" a_branch_cannot_change_what_another_reads (Correctness, StateChange) [] |t| {
        let report = t.run(&branches(Behavior::append("items", "smuggled")), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("what the other branch reads", value(&report, "reads", "items"), Some(json!(["ordered"])));
        t.check_eq("what the source returned", value(&report, "source", "items"), Some(json!(["ordered"])));
        t.check_eq("what the branch has changed", value(&report, "adds", "items"), Some(json!(["ordered", "smuggled"])));
    }

    /// The control: a branch that copies first changes nothing.
    "CORE-008" a_branch_that_copies_first_changes_nothing (Correctness, StateChange) [] |t| {
        let report = t.run(&branches(Behavior::append_copy("items", "added")), &quick())?;
        t.check_eq("what the other branch reads", value(&report, "reads", "items"), Some(json!(["ordered"])));
        t.check_eq("what the branch adds", value(&report, "adds", "items"), Some(json!(["ordered", "added"])));
    }

    /// A look-up by key has one answer, whichever dependency was faster.
    "CORE-001" the_speed_of_stages_does_not_matter (Correctness, Consistency) [LookUp] |t| {
        let first = t.run(&look_up("store"), &quick())?;
        let second = t.run(&look_up("cache"), &quick())?;
        for finding in compare("speed of stages", &first, &second) {
            t.finding(finding);
        }
        let found = value(&first, "reads", "price");
        let known = found == Some(json!("from cache")) || found == Some(json!("from store"));
        t.check("something is found", known, || format!("{found:?}"));
    }

    /// The same key from two dependencies is two values, each read under its stage.
    "CORE-001" equal_keys_of_two_stages_stay_apart (Correctness, Consistency) [] |t| {
        let both = pipeline("equal keys")
            .stage(stage("net", Behavior::emit("value", 300)))
            .stage(stage("tax", Behavior::emit("value", 40)).sleep(SOON))
            .stage(stage("total", Behavior::sum("value")).after(["net", "tax"]));
        let report = t.run(&both, &quick())?;
        t.check_eq("the sum of both", value(&report, "total", "sum"), Some(json!(340)));
    }

    /// A stage that returns nothing is done, reported, and read as nothing.
    "CONTRACT-005" an_empty_output_is_an_output (Correctness, StateChange) [] |t| {
        let empty = pipeline("nothing returned")
            .stage(stage("quiet", Behavior::Const { data: Map::new() }))
            .stage(stage("reads", Behavior::Echo).after(["quiet"]));
        let report = t.run(&empty, &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("it is reported as done", report.stage("quiet").map(|stage| stage.status), Some(StageStatus::Ok));
        t.check_eq("it is reported as empty", data(&report, "quiet"), Some(json!({})));
    }

    /// Numbers keep every digit.
    "TRANSFORM-003" numbers_keep_every_digit (SilentFailures, Schema) [] |t| {
        passes(t, &numbers())?;
    }

    /// Texts keep every character.
    "TRANSFORM-006" texts_keep_every_character (SilentFailures, Schema) [] |t| {
        passes(t, &texts())?;
    }

    /// Null, empty and nested values stay what they are.
    "CONTRACT-006" shapes_stay_what_they_are (SilentFailures, Schema) [] |t| {
        passes(t, &shapes())?;
    }

    /// A large output arrives whole.
    "TRANSFORM-005" a_large_output_arrives_whole (Scalability, Bounds) [] |t| {
        let rows: Vec<Value> = (0..2_000).map(|n| json!({ "id": n, "name": format!("row {n}") })).collect();
        passes(t, &[("two thousand rows", json!(rows))])?;
    }
}
