//! The context snapshot: read by every stage, changed by none.

use serde_json::json;

use super::outputs::{numbers, shapes, texts};
use super::*;

fn asks(options: RunOptions, what: &str, value: &Value, t: &mut Bench<'_>) -> Result<(), Stop> {
    let reads = pipeline(&format!("reads {what}")).stage(stage("reads", Behavior::input("v")));
    let report = t.run(&reads, &options.data("v", value.clone()))?;
    t.check_eq(
        &format!("{what} is read as it was given"),
        data(&report, "reads"),
        Some(json!({ "v": value })),
    );
    Ok(())
}

cases! {
    /// Stages read what the run was given.
    "CORE-002" stages_read_what_the_run_was_given (Correctness, StateChange) [Snapshot] |t| {
        for (what, value) in numbers().into_iter().chain(texts()).chain(shapes()) {
            asks(quick(), what, &value, t)?;
        }
    }

    /// Every stage reads the same, early and late.
    "CORE-008" every_stage_reads_the_same_snapshot (Correctness, Consistency) [Snapshot] |t| {
        let many = pipeline("read early and late")
            .stage(stage("early", Behavior::input("price")))
            .stage(stage("shadow", Behavior::emit("price", 999)).after(["early"]))
            .stage(stage("late", Behavior::input("price")).after(["shadow"]));
        let report = t.run(&many, &quick().data("price", 340))?;
        t.check_eq("read early", value(&report, "early", "price"), Some(json!(340)));
        t.check_eq("read late", value(&report, "late", "price"), Some(json!(340)));
        if let Some(after) = &report.snapshot {
            t.check_eq("the snapshot after the run", after, &json!({ "price": 340 }));
        }
    }

    /// A key that the run was not given is not invented by a stage.
    "CORE-008" outputs_do_not_become_input (Correctness, StateChange) [Snapshot] |t| {
        let leak = pipeline("an output of the same name")
            .stage(stage("writes", Behavior::emit("token", "secret")))
            .stage(stage("reads", Behavior::input("token")).after(["writes"]));
        let report = t.run(&leak, &quick())?;
        t.check_eq("the key that was not given", value(&report, "reads", "token"), Some(Value::Null));
    }

    /// Numbers of a snapshot that is written out and read back keep every digit.
    "CORE-002" a_round_trip_keeps_numbers (SilentFailures, Schema) [Snapshot, RoundTrip] |t| {
        for (what, value) in numbers() {
            asks(quick().round_trip(), what, &value, t)?;
        }
    }

    /// Texts of a snapshot that is written out and read back keep every character.
    "CORE-002" a_round_trip_keeps_texts (SilentFailures, Schema) [Snapshot, RoundTrip] |t| {
        for (what, value) in texts() {
            asks(quick().round_trip(), what, &value, t)?;
        }
    }

    /// Null, empty and nested values survive a round trip.
    "CORE-002" a_round_trip_keeps_shapes (SilentFailures, Schema) [Snapshot, RoundTrip] |t| {
        for (what, value) in shapes() {
            asks(quick().round_trip(), what, &value, t)?;
        }
        // Absent and null are two things; a stage sees both as null, the snapshot itself does not.
        let reads = pipeline("a null and nothing else").stage(stage("reads", Behavior::input("v")));
        let report = t.run(&reads, &quick().round_trip().data("v", Value::Null))?;
        if let Some(after) = &report.snapshot {
            t.check_eq("the snapshot after the run", after, &json!({ "v": null }));
        }
    }
}
