//! What a test was doing when its deadline passed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::frames::user_frames;
use super::stacks;
use crate::capture::{LogEvent, SpanSeen};
use crate::context::{Diagnosis, FutureState, Inner};
use crate::log::format::{Level, Route};
use crate::sys::{self, ThreadSeen};

/// Time over which processor ticks are compared. A tick is 10 ms on most systems.
const WATCH: Duration = Duration::from_millis(100);

/// How long futures and heartbeats have to answer.
const ANSWER: Duration = Duration::from_millis(300);

/// At most this many futures, spans and threads are described one by one.
const SHOWN: usize = 20;

/// Looks at everything, writes it into the test's log and keeps it for the finding.
pub fn diagnose(inner: &Inner, limit: Duration) {
    let background = &inner.background;
    let mut text =
        format!("the deadline of {} has passed; what was running:", humantime::format_duration(limit));
    let runtime = background.runtime();
    let alive = runtime.as_ref().map(|runtime| runtime.metrics().num_alive_tasks());
    let parks = runtime.as_ref().map(park_counts);
    let before = sys::threads();
    let futures = background.futures();
    let answered = runtime.as_ref().map(|runtime| beat(runtime, &background.heartbeats));
    for future in futures.iter().take(SHOWN) {
        future.ask();
    }
    let started = Instant::now();
    while started.elapsed() < WATCH
        || (started.elapsed() < ANSWER
            && (futures.iter().any(|future| future.owes_answer())
                || answered.as_ref().is_some_and(|(answers, sent)| answers.load(Ordering::SeqCst) < *sent)))
    {
        thread::sleep(Duration::from_millis(5));
    }
    let mut facts = json!({});
    if let (Some(runtime), Some(alive), Some(parks), Some((answers, sent))) =
        (&runtime, alive, parks, answered)
    {
        let answers = answers.load(Ordering::SeqCst);
        let blocked = blocked_workers(&parks, &park_counts(runtime));
        let _ = write!(text, "\nruntime: {alive} tasks alive, {answers} of {sent} heartbeats answered");
        if answers < sent {
            text.push_str(": it is blocked");
        }
        if !blocked.is_empty() {
            let _ = write!(text, "; workers that did not park: {blocked:?}");
        }
        facts["runtime"] =
            json!({ "alive_tasks": alive, "heartbeats": sent, "answered": answers, "not_parked": blocked });
    }
    let mut lost = Vec::new();
    let mut shown = Vec::new();
    for future in futures.iter().take(SHOWN) {
        let line = describe(inner, future);
        let _ = write!(text, "\n{}: {line}", future.label);
        shown.push(json!({ "future": future.label, "state": line }));
        if future.lost_wakeup() {
            lost.push(future.label.clone());
        }
    }
    if futures.len() > SHOWN {
        let _ = write!(text, "\nand {} futures more", futures.len() - SHOWN);
    }
    facts["futures"] = Value::from(shown);
    facts["spans"] = spans(&inner.active.spans.seen(), &mut text);
    facts["threads"] = threads(&before, &sys::threads(), started.elapsed(), inner, &mut text);
    let event = LogEvent::new(Some(Level::Info), Route::Thread, "stageflow_stress::watchdog", &text);
    inner.active.log.write(&event);
    let _ = background.diagnosis.set(Diagnosis { text, facts, lost });
}

/// Sends a task for each worker. What is not answered is counted, so that nobody takes it for a task of the test.
fn beat(runtime: &Handle, pending: &Arc<AtomicUsize>) -> (Arc<AtomicUsize>, usize) {
    struct Pending(Arc<AtomicUsize>);
    impl Drop for Pending {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    let answers = Arc::new(AtomicUsize::new(0));
    let sent = runtime.metrics().num_workers();
    for _ in 0..sent {
        pending.fetch_add(1, Ordering::SeqCst);
        let (pending, answers) = (Pending(pending.clone()), answers.clone());
        runtime.spawn(async move {
            let _pending = pending;
            answers.fetch_add(1, Ordering::SeqCst);
        });
    }
    (answers, sent)
}

#[cfg(target_has_atomic = "64")]
fn park_counts(runtime: &Handle) -> Vec<u64> {
    let metrics = runtime.metrics();
    (0..metrics.num_workers()).map(|worker| metrics.worker_park_unpark_count(worker)).collect()
}

#[cfg(not(target_has_atomic = "64"))]
fn park_counts(_: &Handle) -> Vec<u64> {
    Vec::new()
}

/// The workers that neither parked nor unparked in between and are not parked: the count is even while one works.
fn blocked_workers(before: &[u64], after: &[u64]) -> Vec<usize> {
    let pairs = before.iter().zip(after).enumerate();
    pairs
        .filter(|(_, (before, after))| before == after && *before % 2 == 0)
        .map(|(worker, _)| worker)
        .collect()
}

fn describe(inner: &Inner, future: &FutureState) -> String {
    let (polled_by, polls, since) = future.activity();
    let since = since.as_millis();
    if future.lost_wakeup() {
        return format!("was ready after {polls} polls and nobody had woken it: a lost wake-up");
    }
    if let Some(thread) = polled_by {
        return format!(
            "blocks the thread `{thread}`, which has been polling it for {since} ms (poll {polls})"
        );
    }
    let Some(traces) = future.take_traces() else {
        return format!(
            "did not answer, because no thread polls it ({polls} polls, the last one {since} ms ago)"
        );
    };
    let mut places: Vec<String> = Vec::new();
    for trace in &traces {
        let frames: Vec<String> = user_frames(trace)
            .into_iter()
            .map(|(function, file, line)| {
                let mut text = format!("{file}:{line}");
                // Without full debug information an `async fn` has no name of its own.
                if !function.starts_with('{') {
                    let _ = write!(text, " in {function}");
                }
                if let Some(source) = inner.source_line(&file, line) {
                    let _ = write!(text, ": `{source}`");
                }
                text
            })
            .collect();
        let place = frames.join(", called from ");
        if !places.contains(&place) {
            places.push(place);
        }
    }
    match places.as_slice() {
        [] => "is suspended and registered no waker, so nothing can wake it (`pending()`, or a future that forgot to)"
            .to_owned(),
        // The last poll was the question.
        _ => format!("is suspended after {} polls at {}", polls - 1, places.join("; and at ")),
    }
}

fn spans(spans: &[SpanSeen], text: &mut String) -> Value {
    let mut shown = Vec::new();
    for span in spans.iter().take(SHOWN) {
        let idle = span.idle.as_millis();
        let place = match span.entered_on.as_slice() {
            [] => "not entered".to_owned(),
            threads => format!("entered on {}", threads.join(", ")),
        };
        let _ = write!(text, "\nspan {}: {place}, for {idle} ms", span.text);
        shown.push(json!({ "span": span.text, "entered_on": span.entered_on, "idle_ms": idle as u64 }));
    }
    if spans.len() > SHOWN {
        let _ = write!(text, "\nand {} open spans more", spans.len() - SHOWN);
    }
    Value::from(shown)
}

fn threads(
    before: &[ThreadSeen],
    after: &[ThreadSeen],
    time: Duration,
    inner: &Inner,
    text: &mut String,
) -> Value {
    let mut shown = Vec::new();
    // The busy ones first; the watchdog is not part of the test.
    let ticks = |thread: &ThreadSeen| {
        let earlier =
            before.iter().find(|earlier| earlier.id == thread.id).map_or(0, |earlier| earlier.ticks);
        thread.ticks.saturating_sub(earlier)
    };
    let mut threads: Vec<_> =
        after.iter().filter(|thread| !"stageflow-watchdog".starts_with(&thread.name)).collect();
    threads.sort_by_key(|thread| std::cmp::Reverse(ticks(thread)));
    for thread in threads.iter().take(SHOWN) {
        let used = ticks(thread);
        let waits =
            if thread.waits_in.is_empty() { String::new() } else { format!(" in {}", thread.waits_in) };
        let _ = write!(
            text,
            "\nthread {} `{}`: state {}{waits}, {used} ticks used in {} ms",
            thread.id,
            thread.name,
            thread.state,
            time.as_millis()
        );
        let mut facts = json!({
            "id": thread.id, "name": thread.name, "state": thread.state.to_string(), "waits_in": thread.waits_in,
            "ticks": used,
        });
        if let Some(stack) = stacks::describe(thread.id, inner, text) {
            facts["stack"] = stack;
        }
        shown.push(facts);
    }
    Value::from(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_works_and_never_parks_is_blocked() {
        assert_eq!(blocked_workers(&[4, 5, 6, 7], &[4, 5, 8, 8]), [0]);
    }
}
