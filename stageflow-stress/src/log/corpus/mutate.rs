//! One planted defect for each detector.

use super::Random;
use super::render::is_log;
use super::workload::{Item, Logger, MS, What, Workload, workload};
use crate::log::format::Level;

/// The defects, by the detector that must find them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Mutation {
    /// Number of the detector.
    pub detector: u8,
    pub name: &'static str,
    /// Whether the log must tell when spans begin and end.
    pub needs_spans: bool,
}

impl Mutation {
    pub const ALL: &'static [Mutation] = &[
        m(1, "lines of no format", false),
        m(2, "an error with a stack trace", false),
        m(3, "a failure told at level INFO", false),
        m(4, "a warning that repeats", false),
        m(5, "one text at two levels from two places", true),
        m(6, "a pause within a stage while others go on", false),
        m(7, "an end before its beginning", false),
        m(8, "a statement that logs without measure", false),
        m(9, "an announced record that is missing", false),
        m(9, "a record that every other run has", false),
        m(10, "an error that nobody logged", true),
        m(11, "an error without context", false),
        m(12, "a record that lost its run", false),
        m(12, "the id of another run", false),
        m(13, "a new kind of record", false),
        m(14, "another path for the same input", true),
        m(15, "work after the end of its pipeline", false),
        m(15, "a stage that ends twice", false),
        m(16, "a stage that never ends", false),
        m(17, "a success that nobody logged", true),
        m(18, "errors at a fixed interval", false),
        m(19, "an error in a test that passes", false),
        m(20, "a cycle without progress", false),
        m(20, "a run that waits without end", false),
        m(21, "memory that grows", false),
        m(22, "an empty value where there never is one", false),
        m(23, "a secret", false),
        m(24, "lost records", true),
    ];
}

const fn m(detector: u8, name: &'static str, needs_spans: bool) -> Mutation {
    Mutation { detector, name, needs_spans }
}

/// A position in the middle of the log: an item of a stage that runs.
fn within(made: &Workload, random: &mut Random) -> usize {
    let middle: Vec<usize> = (0..made.items.len())
        .filter(|index| {
            let item = &made.items[*index];
            item.target == "app::source"
                && item.stage.is_some()
                && item.run.is_some_and(|run| run > 3 && run + 3 < made.runs.len())
        })
        .collect();
    *random.pick(&middle)
}

fn position(made: &Workload, run: usize, stage: usize, message: &str) -> usize {
    made.items
        .iter()
        .position(|item| item.run == Some(run) && item.stage == Some(stage) && item.message == message)
        .unwrap_or(0)
}

/// A copy of an item that says something else.
fn like(item: &Item, level: Level, target: &'static str, callsite: &str, message: &str) -> Item {
    Item {
        what: What::Log(level),
        target,
        callsite: callsite.to_owned(),
        message: message.to_owned(),
        fields: Vec::new(),
        at: item.at + 1_000,
        ..item.clone()
    }
}

/// Lets the heartbeat go on for a time.
fn beat_on(made: &mut Workload, end: u64, time: u64) {
    let Some(beat) = made.items.iter().find(|item| item.thread == "heartbeat").cloned() else { return };
    let mut at = end - end % (200 * MS) + 200 * MS;
    while at < end + time {
        made.items.push(Item { at, message: format!("tick {}", at / (200 * MS)), ..beat.clone() });
        at += 200 * MS;
    }
}

/// Plants the defect.
pub(in super::super) fn mutate(made: &mut Workload, mutation: Mutation, random: &mut Random) {
    let index = within(made, random);
    let item = made.items[index].clone();
    let (run, stage) = (item.run.unwrap_or(0), item.stage.unwrap_or(0));
    match (mutation.detector, mutation.name) {
        (1, _) => {
            for _ in 0..random.range(1, 5) {
                let at = random.range(5, made.items.len() as u64 - 1) as usize;
                made.foreign.push((at, "listening on port 8080 with 4 workers".to_owned()));
            }
        }
        (2 | 19, _) => {
            let text = if mutation.detector == 2 {
                "cannot write checkpoint\nTraceback (most recent call last):\n  File \"app.py\", line 7, in write\n    raise OSError(28)\nOSError: [Errno 28] No space left on device".to_owned()
            } else {
                format!("invariant broken for order {}", random.range(1, 9999))
            };
            made.items.insert(index + 1, like(&item, Level::Error, "app::store", "src/store.rs:88", &text));
        }
        (3, _) => {
            let text = *random.pick(&[
                "request to billing failed",
                "unhandled exception in worker",
                "timeout while waiting for the lock",
            ]);
            made.items.insert(index + 1, like(&item, Level::Info, "app::billing", "src/billing.rs:5", text));
        }
        (4, _) => {
            for n in 0..random.range(12, 40) {
                let mut new = like(
                    &item,
                    Level::Warning,
                    "app::cache",
                    "src/cache.rs:14",
                    &format!("cache of tenant {} is full", 40 + n % 3),
                );
                new.at += n * 300_000;
                made.items.push(new);
            }
        }
        (5, _) => {
            for n in 0..random.range(6, 12) {
                let (level, place) =
                    if n % 2 == 0 { (Level::Info, "src/a.rs:5") } else { (Level::Error, "src/b.rs:9") };
                let mut new = like(
                    &made.items[within(made, random)].clone(),
                    level,
                    "app::upload",
                    place,
                    &format!("upload of part {n} rejected"),
                );
                new.fields.push(("part".to_owned(), n.to_string()));
                made.items.push(new);
            }
            made.expected_errors.push("upload of part".to_owned());
        }
        (6, _) => {
            // Everything of this thread waits; the heartbeat and the others do not.
            let pause = random.range(4_000, 9_000) * MS;
            let end = made.items.last().map_or(0, |item| item.at);
            for later in &mut made.items {
                if later.thread == item.thread && later.at > item.at {
                    later.at += pause;
                }
            }
            beat_on(made, end, pause);
        }
        (7, _) => {
            let (first, last) =
                (position(made, run, stage, "stage started"), position(made, run, stage, "stage completed"));
            let (start, end) = (made.items[first].at, made.items[last].at);
            made.items[first].at = end;
            made.items[last].at = start;
        }
        (8, _) => {
            for n in 0..made.runs.len() as u64 * random.range(150, 250) {
                let mut new =
                    like(&item, Level::Info, "app::loop", "src/loop.rs:3", &format!("visited node {n}"));
                new.at += n * 7_000;
                made.items.push(new);
            }
        }
        (9, "an announced record that is missing") => {
            made.expected_logs.push("ledger closed with balance".to_owned())
        }
        (9, _) => {
            let at = position(made, run, stage, "stage started") + 1;
            let gone = (at..made.items.len()).find(|index| {
                let item = &made.items[*index];
                item.run == Some(run) && item.stage == Some(stage) && item.message.starts_with("checksum")
            });
            if let Some(gone) = gone {
                made.items.remove(gone);
            }
        }
        (10, _) => {
            made.items.retain(|item| {
                !(item.run == Some(run) && item.stage == Some(stage) && item.message == "stage completed")
            });
            for item in
                made.items.iter_mut().filter(|item| item.run == Some(run) && item.stage == Some(stage))
            {
                if item.what == What::Close {
                    item.fields = vec![
                        ("outcome".to_owned(), "error".to_owned()),
                        ("error".to_owned(), "upstream gone".to_owned()),
                    ];
                }
            }
            // No warning may stand in for the missing one.
            made.items.retain(|item| {
                item.run != Some(run) || !matches!(item.what, What::Log(Level::Warning | Level::Error))
            });
        }
        (11, _) => {
            let mut new = like(&item, Level::Error, "app::misc", "src/misc.rs:2", "something went wrong");
            (new.run, new.stage) = (None, None);
            new.thread = "pool-9".to_owned();
            made.items.insert(index + 1, new);
            made.expected_errors.push("something went wrong".to_owned());
        }
        (12, "a record that lost its run") => {
            // A task that was spawned outside its span.
            for item in
                made.items.iter_mut().filter(|item| item.run == Some(run) && item.stage == Some(stage))
            {
                if is_log(item) && item.target == "app::source" {
                    (item.run, item.stage) = (None, None);
                    item.thread = "blocking-1".to_owned();
                }
            }
        }
        (12, _) => {
            let other = made.runs[(run + 1) % made.runs.len()].id.clone();
            let mut new = like(&item, Level::Info, "app::source", "src/source.rs:77", "row cached");
            new.fields.push(("run_id".to_owned(), other));
            made.items.insert(index + 1, new);
        }
        (13, _) => {
            let mut before = workload(random);
            std::mem::swap(&mut before, made);
            // The comparison is with a run of the same shape.
            *made = before.clone();
            let at = within(made, random);
            for n in 0..random.range(3, 9) {
                let mut new = like(
                    &made.items[at].clone(),
                    Level::Info,
                    "app::fallback",
                    "src/fallback.rs:6",
                    &format!("fallback model answers query {n}"),
                );
                new.at += n * 1_000;
                made.items.push(new);
            }
            made.before = Some(Box::new(before));
        }
        (14, _) => {
            let mut new = like(&item, Level::Info, "app::branch", "src/branch.rs:20", "degraded path chosen");
            new.fields.push(("stage".to_owned(), made.runs[run].stages[stage].clone()));
            made.items.insert(index + 1, new);
            // The same input, again and again, on the ordinary path.
            let input = made.runs[run].input.clone();
            for item in made.items.iter_mut().filter(|item| item.what == What::Open && item.stage.is_none()) {
                item.fields = vec![("input".to_owned(), input.clone())];
            }
        }
        (15, "work after the end of its pipeline") => {
            let last = made.items.iter().rposition(|item| item.run == Some(run)).unwrap_or(0);
            let mut at = made.items[last].at + random.range(2, 30) * MS;
            let lane = 0;
            let name = made.runs[run].stages[stage].clone();
            let mut log = Logger { made, random, run, lane, at: &mut at, stage: Some(stage) };
            log.event(
                Level::Info,
                "engine::stage",
                20,
                "stage started",
                &[("stage", &name), ("attempt", "9")],
            );
            log.event(
                Level::Info,
                "engine::stage",
                21,
                "stage completed",
                &[("stage", &name), ("attempt", "9"), ("status", "ok")],
            );
        }
        (15, _) => {
            let last = position(made, run, stage, "stage completed");
            let mut again = made.items[last].clone();
            again.at += 1_000;
            made.items.insert(last + 1, again);
        }
        (16, _) => {
            made.items.retain(|item| {
                let own = item.run == Some(run) && item.stage == Some(stage);
                !(own && (item.message == "stage completed" || item.what == What::Close))
            });
        }
        (17, _) => {
            made.items.retain(|item| {
                !(item.run == Some(run) && item.stage == Some(stage) && item.message == "stage completed")
            });
        }
        (18, _) => {
            let every = random.range(1, 200) * MS;
            for n in 0..random.range(6, 15) {
                let mut new = like(
                    &item,
                    Level::Error,
                    "app::client",
                    "src/client.rs:40",
                    "cannot reach the ledger: connection refused",
                );
                new.fields.push(("stage".to_owned(), made.runs[run].stages[stage].clone()));
                new.at += n * every + random.range(0, every / 20 + 1);
                made.items.push(new);
            }
            made.expected_errors.push("cannot reach the ledger".to_owned());
        }
        (20, "a run that waits without end") => {
            made.items.retain(|other| other.run != Some(run) || other.at <= item.at);
            // The others go on, and so does the heartbeat.
            let end = made.items.last().map_or(0, |item| item.at).max(item.at);
            beat_on(made, end, random.range(8_000, 20_000) * MS);
        }
        (20, _) => {
            let texts = ["waiting for lock", "lock is held by another", "yielding"];
            let period = random.range(1, 3);
            for n in 0..period * random.range(12, 40) {
                let mut new =
                    like(&item, Level::Debug, "app::lock", "src/lock.rs:4", texts[(n % period) as usize]);
                new.callsite = format!("src/lock.rs:{}", 4 + n % period);
                new.fields.push(("progress".to_owned(), "17".to_owned()));
                new.at += n * 200_000;
                made.items.push(new);
            }
        }
        (21, _) => {
            let slope = random.range(30_000, 300_000) as f64;
            for (operations, bytes) in &mut made.memory {
                *bytes += *operations * slope;
            }
        }
        (22, _) => {
            let value = *random.pick(&["NaN", "undefined", "[object Object]", "Some(17)", "null"]);
            made.items[index].message = format!("fetched {value} rows in 7 ms, 0 errors");
            if !made.items[index].callsite.ends_with(":50") {
                made.items[index].callsite = "src/source.rs:50".to_owned();
            }
        }
        (23, _) => {
            let secret = match random.range(0, 2) {
                0 => format!("AKIA{}", "QX7ZJ4M2T9WKB3ND"),
                1 => format!("ghp_{}", random.hex(36)),
                _ => format!("sk-ant-api03-{}", random.hex(40)),
            };
            made.items.insert(
                index + 1,
                like(&item, Level::Debug, "app::auth", "src/auth.rs:12", &format!("using key {secret}")),
            );
        }
        (24, _) => {
            for _ in 0..random.range(1, 4) {
                let at = random.range(3, made.items.len() as u64 - 3) as usize;
                if !made.lost.contains(&at) {
                    made.lost.push(at);
                }
            }
        }
        _ => {}
    }
    made.items.sort_by_key(|item| item.at);
}
