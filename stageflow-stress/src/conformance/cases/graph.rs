//! Graphs: fan-out, chains, diamonds, depth, and graphs that must be refused.

use serde_json::json;

use super::*;
use crate::engine::compare;

fn fan_out(width: usize) -> PipelineSpec {
    let names = (0..width).map(|n| format!("n{n}"));
    let mut wide = pipeline("fan-out");
    for (n, name) in names.clone().enumerate() {
        wide = wide.stage(stage(name, Behavior::emit("value", n)).kind(StageKind::Enrich));
    }
    wide.stage(stage("sum", Behavior::sum("value")).after(names))
}

fn chain(length: usize) -> PipelineSpec {
    let mut long = pipeline("chain").stage(stage("s0", Behavior::Increment));
    for n in 1..length {
        long = long.stage(stage(format!("s{n}"), Behavior::Increment).after([format!("s{}", n - 1)]));
    }
    long
}

fn diamond() -> PipelineSpec {
    pipeline("diamond")
        .stage(stage("top", Behavior::emit("value", 1)))
        .stage(stage("left", Behavior::Increment).after(["top"]).sleep(SOON))
        .stage(stage("right", Behavior::Increment).after(["top"]))
        .stage(stage("bottom", Behavior::sum("value")).after(["left", "right"]))
}

/// A pipeline that must not be run, and the effects by which one would notice.
fn refused(t: &mut Bench<'_>, pipeline: &PipelineSpec) -> Result<RunReport, Stop> {
    let report = t.unaudited(pipeline, &quick())?;
    t.check_eq("the caller is told that the pipeline is wrong", report.end, RunEnd::Error);
    t.check_eq("no stage of it runs", effects(&report), Vec::<&str>::new());
    t.check(
        "the error says what is wrong",
        report.error.as_deref().is_some_and(|error| !error.is_empty()),
        || "there is no error text".to_owned(),
    );
    Ok(report)
}

cases! {
    /// Merging 500 outputs loses nothing, and the merging stage waits for all of them.
    "DAG-005" fan_out_keeps_every_output (Scalability, Bounds) [] |t| {
        let report = t.run(&fan_out(500), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the sum of every output", value(&report, "sum", "sum"), Some(json!(500 * 499 / 2)));
        let entered = report.stages.iter().filter(|stage| stage.attempts == 1).count();
        t.check_eq("stages that ran once", entered, 501);
    }

    /// Each stage of many that run at once is told its own name, and not that of another.
    "DAG-002" a_stage_is_told_its_own_name (Correctness, Consistency) [OwnName] |t| {
        let names = ["one", "two", "three"];
        let named = |name: &str| stage(name, Behavior::Named { key: "name".to_owned() }).sleep(SOON);
        let wide = names.iter().fold(pipeline("names"), |wide, name| wide.stage(named(name)));
        let report = t.run(&wide, &quick())?;
        for name in names {
            t.check_eq(&format!("the name of {name}"), value(&report, name, "name"), Some(json!(name)));
        }
    }

    /// A stage waits for the slowest of many dependencies.
    "DAG-005" a_stage_waits_for_the_slowest (Correctness, StateChange) [] |t| {
        let mut wide = fan_out(300);
        wide.stages[299].sleep_ms = 30;
        let report = t.run(&wide, &quick())?;
        t.check_eq("the sum of every output", value(&report, "sum", "sum"), Some(json!(300 * 299 / 2)));
    }

    /// A chain of 200 stages counts to 200.
    "DAG-006" a_chain_counts_to_its_length (Correctness, Bounds) [] |t| {
        let report = t.run(&chain(200), &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the end of the chain", value(&report, "s199", "value"), Some(json!(200)));
    }

    /// A chain of 1000 stages runs, whichever way it is declared.
    "DAG-006" depth_does_not_depend_on_the_order_of_declaration (Scalability, Bounds) [] |t| {
        let forwards = t.run(&chain(1000), &quick())?;
        let backwards = t.run(&chain(1000).reversed(), &quick())?;
        t.check_eq("the end of the chain", value(&forwards, "s999", "value"), Some(json!(1000)));
        for finding in compare("order of declaration", &forwards, &backwards) {
            t.finding(finding);
        }
    }

    /// Both sides of a diamond reach its end.
    "CORE-001" a_diamond_joins_both_sides (Correctness, Consistency) [] |t| {
        let report = t.run(&diamond(), &quick())?;
        t.check_eq("the end of the diamond", value(&report, "bottom", "sum"), Some(json!(4)));
        let backwards = t.run(&diamond().reversed(), &quick())?;
        for finding in compare("order of declaration", &report, &backwards) {
            t.finding(finding);
        }
    }

    /// Layers in which every stage reads every stage of the layer before lose nothing.
    "CORE-001" dense_layers_lose_nothing (Correctness, Consistency) [] |t| {
        let mut dense = pipeline("dense layers");
        let layer = |n: usize| (0..12).map(move |m| format!("l{n}m{m}"));
        for name in layer(0) {
            dense = dense.stage(stage(name, Behavior::emit("value", 1)));
        }
        // Echo of all inputs, so that a missing one shows; the value stays 1.
        for n in 1..4 {
            for name in layer(n) {
                dense = dense.stage(stage(name, Behavior::Echo).after(layer(n - 1)));
            }
        }
        let dense = dense.stage(stage("sum", Behavior::sum("value")).after(layer(3)));
        let report = t.run(&dense, &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the sum over the last layer", value(&report, "sum", "sum"), Some(json!(12)));
    }

    /// Every kind of stage runs and hands its output on.
    "WORK-001" every_kind_of_stage_runs (Correctness, StateChange) [] |t| {
        let mut kinds = pipeline("kinds");
        for kind in StageKind::ALL {
            let name = kind.as_str().to_lowercase();
            kinds = kinds
                .stage(stage(name.clone(), Behavior::emit("kind", kind.as_str())).kind(*kind).effect(name.clone()))
                .stage(stage(format!("after {name}"), Behavior::Echo).after([name]));
        }
        let report = t.run(&kinds, &quick())?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        for kind in StageKind::ALL {
            let name = kind.as_str().to_lowercase();
            t.check_eq(&format!("{name} acts once"), report.effect_count(&name), 1);
            let handed_on = value(&report, &format!("after {name}"), "kind");
            t.check_eq(&format!("{name} hands its output on"), handed_on, Some(json!(kind.as_str())));
        }
    }

    /// Independent stages run side by side: two that sleep take about as long as one. Judged by their own starts and ends.
    "PERF-002" independent_stages_overlap (Performance, Timing) [] |t| {
        let side_by_side = pipeline("side by side")
            .stage(stage("a", Behavior::emit("n", 1)).sleep(LATER))
            .stage(stage("b", Behavior::emit("n", 2)).sleep(LATER));
        let report = t.run(&side_by_side, &quick())?;
        let (Some(a), Some(b)) = (report.stage("a"), report.stage("b")) else { return Ok(()) };
        let overlap = a.started_ms < b.ended_ms && b.started_ms < a.ended_ms;
        t.check("they overlap", overlap, || format!("a: {:?}..{:?}, b: {:?}..{:?}", a.started_ms, a.ended_ms, b.started_ms, b.ended_ms));
    }

    /// Two stages of one name are refused: one of them would never run.
    "CONTRACT-004" duplicate_names_are_refused (Correctness, Schema) [Validation] |t| {
        refused(t, &pipeline("two of a name").stage(act("pay", "first")).stage(act("pay", "second")))?;
    }

    /// A dependency that does not exist is refused: nobody would wait for it.
    "CONTRACT-004" unknown_dependencies_are_refused (Correctness, Schema) [Validation] |t| {
        refused(t, &pipeline("unknown dependency").stage(act("pay", "paid").after(["chekc"])))?;
    }

    /// A dependency that is named twice is one: the stage waits for it and runs once, unless the pipeline is refused.
    "DAG-001" a_dependency_that_is_named_twice_is_one (Correctness, StateChange) [] |t| {
        let twice = pipeline("named twice")
            .stage(act("pay", "paid").sleep(SOON))
            .stage(act("ship", "shipped").after(["pay", "pay"]))
            .stage(act("tell", "told").after(["ship"]));
        let report = t.unaudited(&twice, &quick())?;
        if report.end == RunEnd::Error && report.effects.is_empty() {
            return Ok(());
        }
        t.audit(&twice, &quick(), &report);
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("every stage acts once, in its turn", effects(&report), vec!["paid", "shipped", "told"]);
    }

    /// Stages that wait for each other are refused.
    "DAG-001" cycles_are_refused (Reliability, Bounds) [Validation] |t| {
        refused(t, &pipeline("a cycle of two").stage(act("a", "a").after(["b"])).stage(act("b", "b").after(["a"])))?;
        refused(t, &pipeline("a cycle of one").stage(act("a", "a").after(["a"])))?;
        let beside = pipeline("a cycle beside a sound stage").stage(act("sound", "acts"));
        let report = refused(t, &beside.stage(act("hen", "hen").after(["egg"])).stage(act("egg", "egg").after(["hen"])))?;
        let names = |error: &String| error.contains("hen") || error.contains("egg");
        t.check("the error names a stage of the cycle", report.error.as_ref().is_some_and(names), || {
            format!("the error: {:?}", report.error)
        });
        let long = (0..50).fold(pipeline("a cycle of fifty"), |long, n| {
            long.stage(act(format!("s{n}"), "acts").after([format!("s{}", (n + 1) % 50)]))
        });
        refused(t, &long)?;
    }
}
