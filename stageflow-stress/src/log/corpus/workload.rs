//! A sound workload: pipeline runs of stages, side by side on several threads.

use super::Random;
use crate::log::format::Level;

/// Nanoseconds.
pub(in super::super) const MS: u64 = 1_000_000;

/// What is logged, before it is rendered.
#[derive(Debug, Clone)]
pub(in super::super) struct Item {
    pub at: u64,
    pub thread: String,
    pub what: What,
    /// The run it belongs to, as an index; none for what belongs to no run.
    pub run: Option<usize>,
    /// The stage, as an index within its run.
    pub stage: Option<usize>,
    pub target: &'static str,
    pub callsite: String,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum What {
    Log(Level),
    /// The span of the stage, or of the run where there is no stage, opens or closes.
    Open,
    Close,
}

/// A workload.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Workload {
    pub items: Vec<Item>,
    pub runs: Vec<Run>,
    /// What the test announces.
    pub expected_errors: Vec<String>,
    /// What the test declares to be logged.
    pub expected_logs: Vec<String>,
    /// Memory in bytes, over the number of operations done.
    pub memory: Vec<(f64, f64)>,
    /// Record numbers that get lost.
    pub lost: Vec<usize>,
    /// Lines of no format, before the record of that index.
    pub foreign: Vec<(usize, String)>,
    /// A log of the same test that passed, for comparison.
    pub before: Option<Box<Workload>>,
}

/// One pipeline run.
#[derive(Debug, Clone)]
pub(in super::super) struct Run {
    pub id: String,
    pub input: String,
    pub stages: Vec<String>,
}

const STAGES: [&str; 16] = [
    "load",
    "parse",
    "enrich",
    "route",
    "guard",
    "score",
    "rank",
    "merge",
    "summarize",
    "classify",
    "embed",
    "retrieve",
    "plan",
    "act",
    "review",
    "store",
];

/// A sound workload with everything in it that resembles a defect.
pub(in super::super) fn workload(random: &mut Random) -> Workload {
    let mut made = Workload::default();
    let mut stages: Vec<String> = Vec::new();
    let wanted = random.range(2, 7) as usize;
    while stages.len() < wanted {
        let name = (*random.pick(&STAGES)).to_owned();
        if !stages.contains(&name) {
            stages.push(name);
        }
    }
    let runs = random.range(20, 40) as usize;
    let noise = *random.pick(&[0.0, 0.1, 0.3]);
    let parallel = random.range(1, 3);
    let inputs: Vec<String> = (0..random.range(1, 4)).map(|_| random.hex(12)).collect();
    let mut clocks = vec![10 * MS; parallel as usize];
    for index in 0..runs {
        let lane = index % clocks.len();
        made.runs.push(Run {
            id: random.uuid(),
            input: random.pick(&inputs).clone(),
            stages: stages.clone(),
        });
        let mut at = clocks[lane];
        let expected = random.chance(0.06);
        run(&mut made, random, index, lane, &mut at, noise, expected);
        clocks[lane] = at + random.range(1, 5) * MS;
    }
    let end = clocks.iter().copied().max().unwrap_or(0);
    background(&mut made, random, end);
    made.items.sort_by_key(|item| item.at);
    for n in 0..random.range(40, 80) {
        // An allocator that fills its caches and then stays where it is.
        let level = 5e7 + 8e6 * (1.0 - (-(n as f64) / 6.0).exp());
        made.memory.push((n as f64 * 10.0, level + (random.range(0, 400_000) as f64)));
    }
    made.expected_logs.push("pipeline started".to_owned());
    made
}

fn run(
    made: &mut Workload,
    random: &mut Random,
    run: usize,
    lane: usize,
    at: &mut u64,
    noise: f64,
    expected: bool,
) {
    let input = made.runs[run].input.clone();
    let stages = made.runs[run].stages.clone();
    let mut log = Logger { made, random, run, lane, at, stage: None };
    log.span(What::Open, &[("input", &input)]);
    log.event(Level::Info, "engine::run", 10, "pipeline started", &[("stages", &stages.len().to_string())]);
    for (index, stage) in stages.iter().enumerate() {
        log.stage = Some(index);
        let mut attempt = 1;
        log.span(What::Open, &[("stage", stage)]);
        log.event(Level::Info, "engine::stage", 20, "stage started", &[("stage", stage), ("attempt", "1")]);
        // A retry with growing, jittered waits, and a warning that is right.
        while attempt < 4 && log.random.chance(0.03) {
            let wait = (50 << attempt) + log.random.range(0, 40 << attempt);
            log.event(
                Level::Warning,
                "engine::retry",
                31,
                &format!("attempt {attempt} failed: connection reset by peer"),
                &[("stage", stage)],
            );
            log.event(
                Level::Info,
                "engine::retry",
                32,
                "stage retry scheduled",
                &[("stage", stage), ("attempt", &attempt.to_string()), ("delay_ms", &wait.to_string())],
            );
            *log.at += wait * MS;
            attempt += 1;
            log.event(
                Level::Info,
                "engine::stage",
                20,
                "stage started",
                &[("stage", stage), ("attempt", &attempt.to_string())],
            );
        }
        body(&mut log, stage, noise);
        if expected && index + 1 == stages.len() {
            let code = log.random.range(100, 999);
            log.event(
                Level::Error,
                "app::quota",
                41,
                &format!("quota of tenant {code} exceeded"),
                &[("stage", stage), ("error", "quota exceeded")],
            );
        }
        log.event(
            Level::Info,
            "engine::stage",
            21,
            "stage completed",
            &[("stage", stage), ("attempt", &attempt.to_string()), ("status", "ok")],
        );
        log.span(What::Close, &[("outcome", "ok")]);
    }
    log.stage = None;
    let ms = log.random.range(5, 90).to_string();
    log.event(Level::Info, "engine::run", 11, "pipeline completed", &[("elapsed_ms", &ms), ("errors", "0")]);
    log.span(What::Close, &[("outcome", "ok")]);
    if expected && !made.expected_errors.iter().any(|text| text == "quota of tenant") {
        made.expected_errors.push("quota of tenant".to_owned());
    }
}

fn body(log: &mut Logger<'_>, stage: &str, noise: f64) {
    let rows = log.random.range(1, 5000);
    let ms = log.random.range(1, 40);
    log.event(Level::Debug, "app::source", 50, &format!("fetched {rows} rows in {ms} ms, 0 errors"), &[]);
    // An optional that is empty now and then, and a hash, and an id: none of them a defect.
    let note =
        if log.random.chance(0.02) { "None".to_owned() } else { format!("n{}", log.random.range(1, 99)) };
    let digest = log.random.hex(40);
    log.event(
        Level::Debug,
        "app::source",
        51,
        &format!("checksum {digest} verified for {stage}"),
        &[("note", &note)],
    );
    if log.random.chance(0.2) {
        // Polling that makes progress.
        for step in 1..=log.random.range(10, 14) {
            log.event(Level::Debug, "app::poll", 60, "polling job", &[("progress", &(step * 7).to_string())]);
        }
    }
    if log.random.chance(noise) {
        let text = *log.random.pick(&[
            "retry policy silently keeps the last error handler registered",
            "error_rate=0 failures=0 timeout=30s",
            "no error was found in the batch",
            "memory parity error corrected",
            "exception table loaded",
            "recovered from a previous failure without loss",
        ]);
        log.event(Level::Info, "app::chatter", 70, text, &[]);
    }
}

/// Threads that belong to no run: a heartbeat, and a collector of metrics.
fn background(made: &mut Workload, random: &mut Random, end: u64) {
    let mut at = 0;
    let mut n = 0;
    while at < end {
        n += 1;
        made.items.push(Item {
            at,
            thread: "heartbeat".to_owned(),
            what: What::Log(Level::Debug),
            run: None,
            stage: None,
            target: "runtime::heartbeat",
            callsite: "src/heartbeat.rs:9".to_owned(),
            message: format!("tick {n}"),
            fields: Vec::new(),
        });
        if random.chance(0.1) {
            made.items.push(Item {
                at: at + 1,
                thread: "metrics".to_owned(),
                what: What::Log(Level::Debug),
                run: None,
                stage: None,
                target: "runtime::metrics",
                callsite: "src/metrics.rs:30".to_owned(),
                message: "flushed metrics".to_owned(),
                fields: vec![("series".to_owned(), random.range(3, 9).to_string())],
            });
        }
        at += 200 * MS;
    }
}

/// Writes items of one run.
pub(in super::super) struct Logger<'w> {
    pub made: &'w mut Workload,
    pub random: &'w mut Random,
    pub run: usize,
    pub lane: usize,
    pub at: &'w mut u64,
    pub stage: Option<usize>,
}

impl Logger<'_> {
    pub fn event(
        &mut self,
        level: Level,
        target: &'static str,
        line: u32,
        message: &str,
        fields: &[(&str, &str)],
    ) {
        *self.at += self.random.range(20, 400) * 1_000;
        self.push(What::Log(level), target, line, message, fields);
    }

    pub fn span(&mut self, what: What, fields: &[(&str, &str)]) {
        *self.at += self.random.range(5, 20) * 1_000;
        self.push(what, "engine", 1, "", fields);
    }

    fn push(&mut self, what: What, target: &'static str, line: u32, message: &str, fields: &[(&str, &str)]) {
        self.made.items.push(Item {
            at: *self.at,
            thread: format!("worker-{}", self.lane),
            what,
            run: Some(self.run),
            stage: self.stage,
            target,
            callsite: format!("src/{}.rs:{line}", target.rsplit("::").next().unwrap_or(target)),
            message: message.to_owned(),
            fields: fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        });
    }
}
