//! A worker in a process of its own, for the pages about processes: this test binary, started once more. It reads requests, runs
//! each as a graph, and answers each in one line. In a test of your own this is your service's binary.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use miniflow::{Kind, Output, RunConfig, Snapshot, StageError};
use serde_json::{Value, json};

use crate::support::{data, graph, is_broken, output, permanent, stage};

const AS_WORKER: &str = "MINIFLOW_AS_WORKER";
const ANSWER: &str = "answer: ";

/// The running process.
pub struct Worker {
    pub child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "--exact",
                "worker::serves_if_it_is_started_as_a_worker",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(AS_WORKER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        let requests = child.stdin.take().ok_or_else(ended)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(ended)?);
        Ok(Worker { child, requests, answers })
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, what: &str, number: u64) -> io::Result<String> {
        writeln!(self.requests, "{what} {number}")?;
        self.requests.flush()?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the worker has ended"));
            }
            // The harness of the test binary writes there, too.
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return Ok(answer.trim_end().to_owned());
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other side.
#[test]
fn serves_if_it_is_started_as_a_worker() {
    if std::env::var_os(AS_WORKER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let (what, number) = line.split_once(' ').unwrap();
        let answer = runtime.block_on(handle(what, number.parse().unwrap()));
        println!("{ANSWER}{answer}");
    }
}

async fn handle(what: &str, number: u64) -> String {
    let work = stage("work", |ctx| async move {
        let request = ctx.snapshot();
        let number = request.data()["number"].as_u64().unwrap_or_default();
        match request.data()["what"].as_str() {
            Some("hold") => hold(number),
            Some("spin") => Ok(spin(number)),
            other => Err(permanent(format!("nobody knows how to {other:?}"))),
        }
    });
    let graph = graph("worker").stage(work.kind(Kind::Work)).build().unwrap();
    let snapshot = Snapshot::new(data([("what", json!(what)), ("number", json!(number))]));
    let result = graph.run(RunConfig { snapshot, ..RunConfig::default() }).await;
    match result.error {
        None => result
            .outputs
            .get("work")
            .map(|work| Value::from(work.data.clone()))
            .unwrap_or_default()
            .to_string(),
        Some(error) => format!("refused: {error}"),
    }
}

/// Holds so many megabytes, or sheds the request where they cannot be had.
fn hold(megabytes: u64) -> Result<Output, StageError> {
    let bytes = usize::try_from(megabytes << 20).map_err(permanent)?;
    let mut held: Vec<u8> = Vec::new();
    if is_broken("AbortsWhenFull") {
        held.reserve_exact(bytes);
    } else {
        held.try_reserve_exact(bytes).map_err(|error| permanent(format!("shed, no memory: {error}")))?;
    }
    held.resize(bytes, 1);
    Ok(output([("held", json!(std::hint::black_box(&held).len() >> 20))]))
}

/// How long one spin should take.
pub const DEADLINE: Duration = Duration::from_millis(200);

/// Works for so many rounds, and says how long it took and whether that was too long.
fn spin(rounds: u64) -> Output {
    let began = Instant::now();
    let mut sum = 0_u64;
    for round in 0..rounds {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(round));
    }
    // A clock that counts what was done and not what passed does not see that it was held up.
    let took = if is_broken("CountsWorkNotTime") { Duration::from_nanos(rounds) } else { began.elapsed() };
    output([("ms", json!(took.as_millis() as u64)), ("late", json!(took > DEADLINE))])
}
