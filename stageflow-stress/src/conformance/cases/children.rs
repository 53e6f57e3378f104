//! Pipelines within pipelines.

use serde_json::json;

use super::*;
use crate::engine::{InterruptHow, Moment};

fn child() -> PipelineSpec {
    pipeline("child")
        .stage(stage("price", Behavior::emit("total", 7)))
        .stage(act("act", "child acted").after(["price"]))
}

fn parent(child: PipelineSpec) -> PipelineSpec {
    pipeline("parent")
        .stage(stage("price", Behavior::emit("total", 340)))
        .stage(stage("sub", Behavior::sub(child)).after(["price"]))
        .stage(stage("reads", Behavior::Echo).after(["price"]).sleep(LATER))
        .stage(act("last", "followed").after(["sub", "reads"]))
}

fn fails(t: &mut Bench<'_>, what: &str, wrong: Behavior) -> Result<(), Stop> {
    let child = pipeline("child").stage(stage("pay", wrong)).stage(act("act", "child acted").after(["pay"]));
    let report = t.run(&parent(child), &watched())?;
    t.check(&format!("the caller is told ({what})"), report.end != RunEnd::Ok, || "the run is ok".to_owned());
    t.check_eq(&format!("nothing follows ({what})"), report.effect_count("followed"), 0);
    t.check_eq(&format!("nothing follows in the child ({what})"), report.effect_count("child acted"), 0);
    Ok(())
}

cases! {
    /// A child runs once, and its outputs reach its parent.
    "CORE-006" a_child_runs_once_and_answers (Correctness, StateChange) [SubPipelines] |t| {
        let report = t.run(&parent(child()), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the child acts once", report.effect_count("child acted"), 1);
        let answer = value(&report, "sub", "child").and_then(|child| child.get("price").cloned());
        t.check_eq("what the child answers", answer, Some(json!({ "total": 7 })));
    }

    /// A child does not overwrite what its parent's stages returned.
    "CORE-003" a_child_does_not_overwrite_its_parent (Correctness, StateChange) [SubPipelines] |t| {
        let report = t.run(&parent(child()), &quick())?;
        t.check_eq("what the parent returned", value(&report, "price", "total"), Some(json!(340)));
        t.check_eq("what its reader sees", value(&report, "reads", "total"), Some(json!(340)));
    }

    /// A child that fails, panics or cancels is no success of its parent.
    "CORE-006" a_failing_child_fails_its_parent (Reliability, StateChange) [SubPipelines] |t| {
        fails(t, "fails", Behavior::fail("declined"))?;
        fails(t, "panics", Behavior::panic("lost"))?;
        fails(t, "cancels", Behavior::Cancel { reason: "enough".to_owned() })?;
    }

    /// A child stops with its parent.
    "CORE-006" a_child_stops_with_its_parent (Reliability, SideEffect) [SubPipelines, Cancel] |t| {
        let slow = pipeline("child").stage(act("charge", "charged").sleep(LATER)).stage(act("export", "exported").sleep(NEVER));
        let when = Moment::Start { stage: "sub/charge".to_owned() };
        let report = t.run(&parent(slow), &watched().interrupt(InterruptHow::Cancel, when))?;
        t.check_eq("the caller is told", report.end, RunEnd::Cancelled);
        t.check_eq("nothing happens, then or later", effects(&report), Vec::<&str>::new());
    }

    /// A child stops when a sibling of its parent's stage fails.
    "DAG-009" a_child_stops_when_its_parent_fails (Reliability, SideEffect) [SubPipelines] |t| {
        let slow = pipeline("child").stage(act("charge", "charged").sleep(LATER));
        let failing = parent(slow).stage(stage("check", Behavior::fail("declined")).sleep(SOON));
        let report = t.run(&failing, &watched())?;
        t.check_eq("the caller is told", report.end, RunEnd::Error);
        t.check_eq("nothing happens, then or later", effects(&report), Vec::<&str>::new());
    }

    /// A child reads the snapshot of its parent.
    "CORE-006" a_child_reads_the_snapshot (Correctness, StateChange) [SubPipelines, Snapshot] |t| {
        let asks = pipeline("child").stage(stage("who", Behavior::input("who")));
        let report = t.run(&parent(asks), &quick().data("who", "tenant 7"))?;
        let answer = value(&report, "sub", "child").and_then(|child| child.get("who").cloned());
        t.check_eq("what the child read", answer, Some(json!({ "who": "tenant 7" })));
    }

    /// Children have children.
    "CORE-006" children_have_children (Correctness, StateChange) [SubPipelines] |t| {
        let nested = (0..3).fold(child(), |inner, n| {
            pipeline(&format!("level {n}")).stage(stage("inner", Behavior::sub(inner)))
        });
        let report = t.run(&parent(nested), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the innermost acts once", report.effect_count("child acted"), 1);
    }

    /// Two children at once are apart.
    "CORE-003" two_children_at_once_are_apart (Correctness, Consistency) [SubPipelines] |t| {
        let with = |n: u64| {
            pipeline("child")
                .stage(stage("n", Behavior::emit("value", n)).sleep(Duration::from_millis(20 - n)))
                .stage(stage("read", Behavior::Echo).after(["n"]))
        };
        let twins = pipeline("twins")
            .stage(stage("a", Behavior::sub(with(1))))
            .stage(stage("b", Behavior::sub(with(15))));
        let report = t.run(&twins, &quick())?;
        for (name, n) in [("a", 1), ("b", 15)] {
            let answer = value(&report, name, "child").and_then(|child| child.get("read").cloned());
            t.check_eq(&format!("what {name} answers"), answer, Some(json!({ "value": n })));
        }
    }
}
