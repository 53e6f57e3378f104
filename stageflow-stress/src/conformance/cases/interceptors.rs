//! Interceptors around stages.

use serde_json::json;

use super::*;
use crate::engine::{Hook, InterceptorSpec};

fn two() -> PipelineSpec {
    pipeline("an order")
        .stage(act("charge", "charged"))
        .stage(stage("receipt", Behavior::Echo).after(["charge"]).effect("printed"))
}

fn raise(message: &str) -> Hook {
    Hook::Raise { message: message.to_owned() }
}

fn named(report: &RunReport, what: &str) -> usize {
    report.effect_count(what)
}

cases! {
    /// Interceptors nest: the outer one acts first before a stage, and last after it.
    "WORK-001" interceptors_nest (Correctness, Trace) [Interceptors] |t| {
        let one = pipeline("one stage").stage(act("charge", "charged"));
        let options = quick().interceptor(InterceptorSpec::new("outer")).interceptor(InterceptorSpec::new("inner"));
        let report = t.run(&one, &options)?;
        let nested = vec![
            "outer before charge", "inner before charge", "charged", "inner after charge", "outer after charge",
        ];
        t.check_eq("what happens", effects(&report), nested);
    }

    /// An interceptor that raises before a stage keeps it from running: a check that is broken has not agreed.
    "GUARD-004" a_broken_check_before_a_stage_denies (Security, Permission) [Interceptors] |t| {
        let policy = InterceptorSpec::new("policy").on("charge").before(raise("the policy cannot be read"));
        let report = t.run(&two(), &watched().interceptor(policy))?;
        t.check("the caller is told", report.end != RunEnd::Ok, || "the run is ok".to_owned());
        t.check_eq("nothing is charged", named(&report, "charged"), 0);
        t.check_eq("nothing follows", named(&report, "printed"), 0);
    }

    /// An interceptor that raises after a stage has not agreed to its output.
    "GUARD-004" a_broken_check_after_a_stage_denies (Security, Permission) [Interceptors] |t| {
        let check = InterceptorSpec::new("check").on("charge").after(raise("the output cannot be checked"));
        let report = t.run(&two(), &watched().interceptor(check))?;
        t.check("the caller is told", report.end != RunEnd::Ok, || "the run is ok".to_owned());
        t.check_eq("nothing follows", named(&report, "printed"), 0);
    }

    /// An answer in place of a stage is its output.
    "GUARD-004" an_answer_in_place_of_a_stage_is_its_output (Correctness, StateChange) [Interceptors] |t| {
        let answer = Map::from_iter([("done".to_owned(), json!("cached"))]);
        let cache = InterceptorSpec::new("cache").on("charge").before(Hook::Answer { data: answer });
        let report = t.run(&two(), &watched().interceptor(cache))?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("the stage does not run", named(&report, "charged"), 0);
        t.check_eq("its output", data(&report, "charge"), Some(json!({ "done": "cached" })));
        let seen = report.stage("receipt").and_then(|stage| stage.seen.get("charge")).cloned();
        t.check_eq("what the next stage reads", seen, Some(json!({ "done": "cached" })));
    }

    /// What began before a stage ends after it, though the stage failed.
    "OBS-002" interceptors_act_after_a_failure (Reliability, Trace) [Interceptors] |t| {
        for wrong in [Behavior::fail("declined"), Behavior::panic("lost")] {
            let failing = pipeline("a stage goes wrong").stage(stage("pay", wrong));
            let report = t.run(&failing, &watched().interceptor(InterceptorSpec::new("span")))?;
            t.check_eq("begun", named(&report, "span before pay"), 1);
            t.check_eq("ended", named(&report, "span after pay"), 1);
        }
    }

    /// Every attempt passes the interceptors.
    "GUARD-004" every_attempt_passes_the_interceptors (Security, Permission) [Interceptors, Retry] |t| {
        let flaky = pipeline("three attempts").stage(stage("pay", Behavior::flaky(2, FlakyHow::Raise)));
        let options = quick().max_attempts(3).backoff(2, 4).interceptor(InterceptorSpec::new("policy"));
        let report = t.run(&flaky, &options)?;
        t.check_eq("asked before each attempt", named(&report, "policy before pay"), 3);
    }
}
