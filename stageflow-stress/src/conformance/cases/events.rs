//! Events and logs: what happened is told, once, to everybody, and whose it was.

use std::collections::BTreeMap;

use super::*;
use crate::engine::{EngineEvent, InterruptHow, Moment, Overlap, SinkSpec};

/// What an event says about which stage: `stage.started` with the stage in its data, or `stage.NAME.started`.
fn about(event: &EngineEvent) -> Option<(String, String)> {
    let rest = event.name.strip_prefix("stage.")?;
    match rest.rsplit_once('.') {
        Some((stage, what)) => Some((stage.to_owned(), what.to_owned())),
        None => Some((event.data.get("stage")?.as_str()?.to_owned(), rest.to_owned())),
    }
}

fn told(report: &RunReport, stage: &str, what: &str) -> usize {
    let wanted = (stage.to_owned(), what.to_owned());
    report.events.iter().filter_map(about).filter(|seen| *seen == wanted).count()
}

fn of_pipeline(report: &RunReport, what: &str) -> usize {
    report.events.iter().filter(|event| event.name == format!("pipeline.{what}")).count()
}

const ENDS: [&str; 4] = ["completed", "failed", "skipped", "cancelled"];

/// Every stage whose body was entered is told to have started, and every start is followed by one end.
fn paired(t: &mut Bench<'_>, what: &str, report: &RunReport) {
    for stage in report.stages.iter().filter(|stage| !stage.name.contains('/')) {
        let started = told(report, &stage.name, "started");
        let ended: usize = ENDS.iter().map(|end| told(report, &stage.name, end)).sum();
        let entered = usize::from(stage.attempts > 0);
        t.check_eq(&format!("starts that are told of {} ({what})", stage.name), started, entered);
        let fits = if entered == 1 { ended == 1 } else { ended <= 1 };
        t.check(&format!("ends that are told of {} ({what})", stage.name), fits, || {
            format!("{ended} ends, {started} starts")
        });
    }
    let ends: usize = ["completed", "failed", "cancelled"].iter().map(|end| of_pipeline(report, end)).sum();
    t.check_eq(&format!("starts of the run ({what})"), of_pipeline(report, "started"), 1);
    t.check_eq(&format!("ends of the run ({what})"), ends, 1);
}

fn order(pay: Behavior) -> PipelineSpec {
    pipeline("an order")
        .stage(act("reserve", "reserved"))
        .stage(stage("pay", pay).after(["reserve"]).sleep(SOON))
        .stage(act("ship", "shipped").after(["pay"]))
}

/// Identities of runs that the events of a report carry.
fn run_ids<'a>(fields: impl Iterator<Item = Option<&'a Value>>) -> BTreeMap<Option<String>, usize> {
    let mut ids = BTreeMap::new();
    for id in fields {
        let id = id.and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
        *ids.entry(id).or_insert(0) += 1;
    }
    ids
}

fn id_of(data: &Value) -> Option<&Value> {
    ["run_id", "pipeline_run_id"].into_iter().find_map(|key| data.get(key))
}

/// Several runs at once: the records of each carry one identity, and no two runs the same.
fn correlated(
    t: &mut Bench<'_>,
    what: &str,
    reports: &[RunReport],
    ids: impl Fn(&RunReport) -> BTreeMap<Option<String>, usize>,
) {
    let mut all = Vec::new();
    for report in reports {
        let ids = ids(report);
        t.check(&format!("there are {what}"), !ids.is_empty(), || "there are none".to_owned());
        let without = ids.get(&None).copied().unwrap_or(0);
        t.check_eq(&format!("{what} without the identity of their run"), without, 0);
        t.check(&format!("{what} of one run carry one identity"), ids.len() <= 1, || format!("{ids:?}"));
        all.extend(ids.into_keys().flatten());
    }
    let count = all.len();
    all.sort();
    all.dedup();
    t.check_eq(&format!("{what} of two runs carry two identities"), all.len(), count);
}

fn at_once() -> Vec<RunOptions> {
    (0..4).map(|n| quick().start_after_ms(n * 3)).collect()
}

/// What the engine says about its events adds up, and is what the sink has seen.
fn adds_up(t: &mut Bench<'_>, what: &str, report: &RunReport) {
    let Some(sink) = &report.sink else {
        t.check(&format!("the engine counts its events ({what})"), false, || {
            "there are no counts".to_owned()
        });
        return;
    };
    let (emitted, accounted) = (sink.emitted, sink.delivered + sink.dropped + sink.failed);
    t.check_eq(&format!("emitted = delivered + dropped + failed ({what})"), emitted, accounted);
    t.check_eq(
        &format!("delivered is what the sink took ({what})"),
        sink.delivered,
        report.events.len() as u64,
    );
    t.check(&format!("something was emitted ({what})"), emitted > 0, || "nothing".to_owned());
}

/// Many stages, each of which is an event on every engine that has events: a skip.
fn many(stages: usize) -> PipelineSpec {
    (0..stages).fold(pipeline("many stages"), |many, n| {
        let skips = stage(format!("s{n}"), Behavior::Skip { reason: "nothing to do".to_owned() });
        many.stage(skips.effect("acted"))
    })
}

cases! {
    /// Every stage that starts is told to have started, and to have ended, once.
    "OBS-004" every_start_and_end_is_told (Observability, Observability) [Events] |t| {
        let report = t.run(&order(Behavior::emit("paid", true)), &watched())?;
        paired(t, "ok", &report);
        for name in ["reserve", "pay", "ship"] {
            t.check_eq(&format!("{name} is told to have completed"), told(&report, name, "completed"), 1);
        }
        t.check_eq("the run is told to have completed", of_pipeline(&report, "completed"), 1);
    }

    /// A stage that fails is told to have failed, not to have completed.
    "OBS-008" a_failure_is_told_as_a_failure (Observability, Observability) [Events] |t| {
        for (what, wrong) in [("fails", Behavior::fail("declined")), ("panics", Behavior::panic("lost"))] {
            let report = t.run(&order(wrong), &watched())?;
            paired(t, what, &report);
            t.check_eq(&format!("the failure is told ({what})"), told(&report, "pay", "failed"), 1);
            t.check_eq(&format!("no completion is told ({what})"), told(&report, "pay", "completed"), 0);
            t.check_eq(&format!("the run is told to have failed ({what})"), of_pipeline(&report, "failed"), 1);
        }
    }

    /// A stage that is stopped is told to have ended.
    "OBS-004" a_stopped_stage_is_told (Observability, Observability) [Events, Cancel] |t| {
        let slow = order(Behavior::emit("paid", true)).stage(act("export", "exported").sleep(NEVER));
        let when = Moment::Start { stage: "pay".to_owned() };
        let report = t.run(&slow, &watched().interrupt(InterruptHow::Cancel, when))?;
        paired(t, "cancelled", &report);
        t.check_eq("the run is told to be cancelled", of_pipeline(&report, "cancelled"), 1);
    }

    /// A stage beside one that fails is told to have ended.
    "OBS-004" a_sibling_that_is_stopped_is_told (Observability, Observability) [Events] |t| {
        let slow = order(Behavior::fail("declined")).stage(act("export", "exported").sleep(NEVER));
        let report = t.run(&slow, &watched())?;
        paired(t, "a sibling fails", &report);
    }

    /// A stage that skips itself is told to.
    "OBS-004" a_skipped_stage_is_told (Observability, Observability) [Events] |t| {
        let skips = pipeline("a skip")
            .stage(stage("cache", Behavior::Skip { reason: "nothing to do".to_owned() }))
            .stage(act("next", "acted").after(["cache"]));
        let report = t.run(&skips, &watched())?;
        t.check_eq("skips that are told", told(&report, "cache", "skipped"), 1);
    }

    /// A stage that is skipped by its condition is told to be.
    "OBS-004" a_stage_that_is_not_chosen_is_told (Observability, Observability) [Events, Conditions] |t| {
        let skips = pipeline("a branch that is not chosen")
            .stage(stage("route", Behavior::emit("to", "left")))
            .stage(act("right", "right").when("route", "to", "right"));
        let report = t.run(&skips, &watched())?;
        t.check_eq("skips that are told", told(&report, "right", "skipped"), 1);
    }

    /// Every further attempt is told.
    "OBS-004" every_retry_is_told (Observability, Observability) [Events, Retry] |t| {
        let flaky = pipeline("flaky").stage(stage("pay", Behavior::flaky(2, FlakyHow::Raise)));
        let report = t.run(&flaky, &watched().max_attempts(4).backoff(2, 4))?;
        let retries = |event: &&EngineEvent| event.name.contains("retr") && !event.name.contains("exhausted");
        let told = report.events.iter().filter(retries).count();
        let further = attempts(&report, "pay").saturating_sub(1) as usize;
        t.check_eq("retries that are told", told, further);
    }

    /// Events of runs at once can be told apart.
    "OBS-001" events_carry_the_identity_of_their_run (Observability, Trace) [Events, SharedGraph] |t| {
        let reports = t.run_all(&order(Behavior::emit("paid", true)), &at_once(), Overlap::Together)?;
        correlated(t, "events", &reports, |report| run_ids(report.events.iter().map(|event| id_of(&event.data))));
        // An engine may leave the name out; if it tells one it is that of the pipeline.
        let named = reports.iter().flat_map(|report| &report.events).filter_map(|event| event.data.get("pipeline"));
        let other = named.filter(|name| *name != "an order").count();
        t.check_eq("events that name another pipeline", other, 0);
    }

    /// Lines of the log of runs at once can be told apart.
    "OBS-001" log_lines_carry_the_identity_of_their_run (Observability, Trace) [Logs, SharedGraph] |t| {
        let reports = t.run_all(&order(Behavior::emit("paid", true)), &at_once(), Overlap::Together)?;
        correlated(t, "log lines", &reports, |report| {
            run_ids(report.logs.iter().map(|line| {
                ["run_id", "pipeline_run_id"].into_iter().find_map(|key| line.fields.get(key))
            }))
        });
    }

    /// A failure leaves a line of its level in the log, with its cause.
    "OBS-008" a_failure_is_logged (Observability, Observability) [Logs] |t| {
        let report = t.run(&order(Behavior::fail("card 4711 declined")), &watched())?;
        let errors: Vec<&str> = report
            .logs
            .iter()
            .filter(|line| line.level == "ERROR")
            .map(|line| line.message.as_str())
            .collect();
        t.check("there is an error line", !errors.is_empty(), || format!("{} lines, none an error", report.logs.len()));
    }

    /// A sink that is slower than its events: what it does not get is counted.
    "OBS-004" a_slow_sink_loses_nothing_silently (SilentFailures, Observability) [Events, BackPressure] |t| {
        let report = t.run(&many(20), &watched().sink(SinkSpec::new(4, 3)))?;
        adds_up(t, "a small queue", &report);
        if let Some(sink) = &report.sink {
            t.check_eq("refused by a sink that refuses nothing", sink.failed, 0);
        }
    }

    /// Closing the queue waits for what is in it.
    "OBS-004" closing_delivers_what_is_queued (SilentFailures, Observability) [Events, BackPressure] |t| {
        for (what, stages, delay_ms) in [("many events", 20, 2), ("one event, on its way", 1, 30)] {
            let report = t.run(&many(stages), &watched().sink(SinkSpec::new(1_000, delay_ms)))?;
            adds_up(t, what, &report);
            if let Some(sink) = &report.sink {
                t.check_eq(&format!("dropped from a queue with room ({what})"), sink.dropped, 0);
                t.check_eq(&format!("delivered of what was emitted ({what})"), sink.delivered, sink.emitted);
            }
        }
    }

    /// A sink that refuses some events gets the others.
    "OBS-004" a_refusing_sink_gets_the_other_events (SilentFailures, Observability) [Events, BackPressure] |t| {
        let report = t.run(&many(20), &watched().sink(SinkSpec::new(1_000, 0).failures(3)))?;
        adds_up(t, "a refusing sink", &report);
        if let Some(sink) = &report.sink {
            t.check_eq("refused", sink.failed, 3);
            t.check_eq("delivered in spite of it", sink.delivered + 3, sink.emitted);
        }
    }

    /// A sink that is slow or refuses does not change what the run does.
    "OBS-004" a_bad_sink_does_not_disturb_the_run (Reliability, SideEffect) [Events, BackPressure] |t| {
        let report = t.run(&many(20), &watched().sink(SinkSpec::new(1, 4).failures(2)))?;
        t.check_eq("the run is ok", report.end, RunEnd::Ok);
        t.check_eq("acted", report.effect_count("acted"), 20);
    }
}
