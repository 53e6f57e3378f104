//! Several runs of one graph.

use serde_json::json;

use super::*;
use crate::engine::{InterruptHow, Moment, Overlap, compare};

fn work() -> PipelineSpec {
    pipeline("shared")
        .stage(stage("who", Behavior::input("who")).sleep(SOON))
        .stage(stage("echo", Behavior::Echo).after(["who"]).sleep(SOON))
        .stage(act("act", "acted").after(["echo"]))
}

fn each(count: usize, with: impl Fn(usize) -> RunOptions) -> Vec<RunOptions> {
    (0..count).map(|n| with(n).data("who", n)).collect()
}

fn apart(t: &mut Bench<'_>, runs: &[RunOptions], overlap: Overlap) -> Result<(), Stop> {
    for (n, report) in t.run_all(&work(), runs, overlap)?.iter().enumerate() {
        t.check_eq(&format!("the run is ok ({overlap})"), report.end, RunEnd::Ok);
        t.check_eq(
            &format!("the run reads its own data ({overlap})"),
            value(report, "echo", "who"),
            Some(json!(n)),
        );
        t.check_eq(&format!("the run acts once ({overlap})"), report.effect_count("acted"), 1);
    }
    Ok(())
}

/// What two stages of a run are told of it, and what its caller is told.
fn ids(report: &RunReport) -> Vec<Option<Value>> {
    let mut ids = vec![value(report, "first", "run"), value(report, "second", "run")];
    // An engine may keep the id from its caller.
    ids.extend(report.run_id.as_ref().map(|id| Some(json!(id))));
    ids
}

cases! {
    /// Every stage is told the id of its own run, as the caller is, while other runs of the graph go on.
    "OBS-001" a_stage_is_told_the_run_it_belongs_to (Observability, Trace) [OwnRunId, SharedGraph] |t| {
        let told = |name: &str| stage(name, Behavior::RunId { key: "run".to_owned() }).sleep(SOON);
        let two = pipeline("the id of a run").stage(told("first")).stage(told("second").after(["first"]));
        let runs = each(4, |n| quick().start_after_ms(n as u64 * 3));
        let mut all = Vec::new();
        for report in t.run_all(&two, &runs, Overlap::Together)? {
            let mut told = ids(&report);
            let some = matches!(&told[0], Some(Value::String(id)) if !id.is_empty());
            t.check("a stage is told the id of its run", some, || format!("it is told {:?}", told[0]));
            told.dedup();
            t.check("a run has one id", told.len() == 1, || format!("it has {told:?}"));
            all.extend(told.into_iter().flatten().map(|id| id.to_string()));
        }
        let count = all.len();
        all.sort();
        all.dedup();
        t.check_eq("ids of runs at once", all.len(), count);
    }

    /// Runs of one graph in turn are runs of their own.
    "DAG-010" runs_in_turn_are_apart (Correctness, Consistency) [SharedGraph, Snapshot] |t| {
        apart(t, &each(5, |_| quick()), Overlap::InTurn)?;
    }

    /// Runs of one graph at once are runs of their own: none sees another's data.
    "CORE-010" runs_at_once_are_apart (Security, Consistency) [SharedGraph, Snapshot] |t| {
        apart(t, &each(8, |n| quick().start_after_ms(n as u64 * 4)), Overlap::Together)?;
        apart(t, &each(8, |_| quick()), Overlap::Together)?;
    }

    /// A burst of fifty runs of one graph ends whole.
    "DAG-010" a_burst_of_runs_ends_whole (Scalability, Bounds) [SharedGraph, Snapshot] |t| {
        apart(t, &each(50, |_| quick()), Overlap::Together)?;
    }

    /// A run that fails does not disturb another of the same graph.
    "DAG-010" a_failing_run_does_not_disturb_another (Reliability, SideEffect) [SharedGraph, Snapshot] |t| {
        let one_fails = pipeline("one of two fails")
            .stage(stage("check", Behavior::fail_if("bad")).sleep(SOON))
            .stage(act("charge", "charged").sleep(LATER));
        let runs = [watched().data("bad", true), watched().data("bad", false)];
        let reports = t.run_all(&one_fails, &runs, Overlap::Together)?;
        t.check_eq("the bad run fails", reports[0].end, RunEnd::Error);
        t.check_eq("the bad run does not act", reports[0].effect_count("charged"), 0);
        t.check_eq("the good run is ok", reports[1].end, RunEnd::Ok);
        t.check_eq("the good run acts once", reports[1].effect_count("charged"), 1);
    }

    /// A run that is cancelled does not disturb another of the same graph.
    "DAG-010" a_cancelled_run_does_not_disturb_another (Reliability, SideEffect) [SharedGraph, Cancel] |t| {
        let slow = pipeline("one of two is cancelled").stage(act("charge", "charged").sleep(LATER));
        let cancelled = watched().interrupt(InterruptHow::Cancel, Moment::After { ms: 15 });
        let reports = t.run_all(&slow, &[cancelled, watched()], Overlap::Together)?;
        t.check_eq("one is cancelled", reports[0].end, RunEnd::Cancelled);
        t.check_eq("the other is ok", reports[1].end, RunEnd::Ok);
        t.check_eq("the other acts once", reports[1].effect_count("charged"), 1);
    }

    /// The same run again gives the same.
    "CORE-001" the_same_run_again_gives_the_same (Correctness, Consistency) [SharedGraph] |t| {
        let wide = (0..20).fold(pipeline("again"), |wide, n| {
            wide.stage(stage(format!("n{n}"), Behavior::emit("value", n)).sleep(Duration::from_millis(n % 3)))
        });
        let wide = wide.stage(stage("sum", Behavior::sum("value")).after((0..20).map(|n| format!("n{n}"))));
        let reports = t.run_all(&wide, &vec![quick(); 4], Overlap::InTurn)?;
        for again in &reports[1..] {
            for finding in compare("repetition", &reports[0], again) {
                t.finding(finding);
            }
        }
    }
}
