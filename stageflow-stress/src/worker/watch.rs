//! The thread that watches a child.
//!
//! It takes every line in the order of arrival, gives answers to those who wait for them, keeps the deadlines, and reaps
//! the process. It uses neither the runtime of the test nor its clock.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::output::{ChildRecord, ChildStream};
use super::process::{Event, Failed, Shared, Surroundings};
use super::protocol::{self, Line};
use super::{WorkerDeath, WorkerExit, WorkerKill, lock};

/// Last lines that a death carries.
const LAST_LINES: usize = 25;
/// How long a child may take to end after it closed its stream, and its streams after it ended.
const END: Duration = Duration::from_secs(2);
/// How long a hanging child may take to write its stacks, in all and between two lines.
const STACKS: Duration = Duration::from_millis(1500);
const STACKS_PAUSE: Duration = Duration::from_millis(250);

/// The watcher's own state.
pub(super) struct Watch {
    worker: String,
    pid: u32,
    child: Child,
    shared: Arc<Shared>,
    around: Arc<Surroundings>,
    /// Whether the child said that it writes its stacks on a signal.
    dump_signal: bool,
    last_lines: VecDeque<String>,
    /// Stacks that are being taken down.
    stacks: Option<Vec<String>>,
    open_streams: u8,
}

impl Watch {
    pub(super) fn new(worker: String, child: Child, shared: Arc<Shared>, around: Arc<Surroundings>) -> Self {
        Watch {
            worker,
            pid: child.id(),
            child,
            shared,
            around,
            dump_signal: false,
            last_lines: VecDeque::new(),
            stacks: None,
            open_streams: 2,
        }
    }

    /// Watches until the child is gone and reaped. Tells whether both of its streams ended.
    pub(super) fn run(mut self, queue: Receiver<Event>) -> bool {
        let mut expired = Vec::new();
        let killed = loop {
            if self.shared.kill.load(Ordering::Acquire) {
                break Some(WorkerKill::Dropped);
            }
            let now = Instant::now();
            let (late, next) = self.deadlines(now);
            if let Some((_, op, allowed)) = late.first().cloned() {
                expired.extend(late.into_iter().map(|(id, ..)| id));
                self.take_stacks(&queue);
                break Some(WorkerKill::Deadline { op, allowed });
            }
            let event = match next {
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => queue.recv_timeout(at.saturating_duration_since(now)),
            };
            match event {
                Ok(Event::OutEnd) => {
                    self.open_streams -= 1;
                    break None;
                }
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        self.finish(&queue, killed, &expired);
        self.open_streams == 0
    }

    /// The requests whose time is over, and when the next one's will be.
    fn deadlines(&self, now: Instant) -> (Vec<(u64, String, Duration)>, Option<Instant>) {
        let requests = lock(&self.shared.requests);
        let late = requests
            .open
            .iter()
            .filter(|(_, open)| open.deadline <= now)
            .map(|(id, open)| (*id, open.what.clone(), open.allowed))
            .collect();
        (late, requests.open.values().map(|open| open.deadline).min())
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Out(line) => self.protocol(&line),
            Event::Err(line) => {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if let Some(stacks) = &mut self.stacks {
                    stacks.push(text.clone());
                }
                self.deliver(ChildRecord::new(self.worker.clone(), ChildStream::Stderr, text));
            }
            Event::OutEnd | Event::ErrEnd => self.open_streams -= 1,
            Event::Wake => {}
        }
    }

    fn protocol(&mut self, line: &[u8]) {
        match protocol::parse(line) {
            Line::Answer { id, result } => {
                let open = lock(&self.shared.requests).open.remove(&id);
                if let Some(open) = open {
                    // Nobody listens any more if the caller gave up.
                    let _ = open.answer.send(result.map_err(Failed::Refused));
                }
            }
            Line::Note { kind, body } => self.note(&kind, body),
            Line::Garbage(text) => {
                self.around.garbage.fetch_add(1, Ordering::Relaxed);
                self.deliver(ChildRecord::new(self.worker.clone(), ChildStream::Garbage, text));
            }
        }
    }

    fn note(&mut self, kind: &str, mut body: Map<String, Value>) {
        match kind {
            "ready" => self.dump_signal = body.get("dump_signal").and_then(Value::as_str) == Some("SIGUSR1"),
            "log" => {
                let mut text = |key: &str| match body.remove(key) {
                    Some(Value::String(text)) => Some(text),
                    _ => None,
                };
                let message = text("message").unwrap_or_default();
                let (level, target) = (text("level"), text("logger").unwrap_or_default());
                let fields = match body.remove("fields") {
                    Some(Value::Object(fields)) => fields,
                    _ => Map::new(),
                };
                self.deliver(ChildRecord {
                    source: self.worker.clone(),
                    stream: ChildStream::Log,
                    level,
                    target,
                    message,
                    fields,
                    time: body.get("time").and_then(Value::as_f64),
                });
            }
            "late_error" => {
                self.around.late_errors.fetch_add(1, Ordering::Relaxed);
                let message = body.remove("message");
                let record = ChildRecord {
                    level: Some("ERROR".to_owned()),
                    target: "event_loop".to_owned(),
                    fields: body,
                    ..ChildRecord::new(
                        self.worker.clone(),
                        ChildStream::Log,
                        message.as_ref().and_then(Value::as_str).unwrap_or("without a message"),
                    )
                };
                self.remember(&record.message);
                let output = &self.around.output;
                let _ = catch_unwind(AssertUnwindSafe(|| output.late_error(record)));
            }
            _ => {
                let Some(run) = body.get("run").and_then(Value::as_u64) else { return };
                if let Some(open) = lock(&self.shared.requests).open.get_mut(&run) {
                    open.trail.note(kind, &body);
                }
            }
        }
    }

    fn deliver(&mut self, record: ChildRecord) {
        // The last lines are those before the stacks were asked for.
        if self.stacks.is_none() {
            self.remember(&record.message);
        }
        let output = &self.around.output;
        // An output that panics must not take the watcher with it: nobody else would reap the child.
        let _ = catch_unwind(AssertUnwindSafe(|| output.log(record)));
    }

    fn remember(&mut self, line: &str) {
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.to_owned());
    }

    /// Asks a hanging child for its stacks: by request, for tasks that wait, and by signal, for a thread that is blocked.
    /// One after the other, so that their lines do not mix.
    fn take_stacks(&mut self, queue: &Receiver<Event>) {
        if !self.dump_signal {
            return;
        }
        self.stacks = Some(Vec::new());
        self.shared.tell(b"{\"op\":\"dump\"}\n".to_vec());
        self.take_until_quiet(queue);
        signal(self.pid, Signal::Dump);
        self.take_until_quiet(queue);
    }

    fn take_until_quiet(&mut self, queue: &Receiver<Event>) {
        let until = Instant::now() + STACKS;
        while Instant::now() < until {
            match queue.recv_timeout(STACKS_PAUSE) {
                Ok(event) => self.take(event),
                Err(_) => return,
            }
        }
    }

    /// Ends and reaps the child, takes its last lines, and answers everybody who still waits.
    fn finish(&mut self, queue: &Receiver<Event>, mut killed: Option<WorkerKill>, expired: &[u64]) {
        if killed.is_none() && !self.ends_by_itself() {
            killed = Some(WorkerKill::StreamClosed);
        }
        if killed.is_some() {
            signal(self.pid, Signal::Kill);
            let _ = self.child.kill();
        }
        *lock(&self.shared.input) = None;
        let exit = self.child.wait().map_or(WorkerExit::Unknown, WorkerExit::from);
        self.drain(queue);
        if self.open_streams > 0 {
            // Something that the child started holds its streams, so its group still exists.
            signal(self.pid, Signal::Kill);
            self.drain(queue);
        }
        let open = {
            let mut requests = lock(&self.shared.requests);
            requests.closed = true;
            std::mem::take(&mut requests.open)
        };
        let death = WorkerDeath {
            worker: self.worker.clone(),
            pid: self.pid,
            exit,
            during: open.values().map(|open| open.what.clone()).collect(),
            killed_by_us: killed.clone(),
            last_lines: self.last_lines.iter().cloned().collect(),
            stacks: self.stacks.take().unwrap_or_default(),
        };
        let wanted = killed == Some(WorkerKill::Dropped) || self.shared.ending.load(Ordering::Acquire);
        if !wanted {
            lock(&self.around.deaths).push(death.clone());
        }
        for (id, open) in open {
            let death = Box::new(death.clone());
            let failed = if expired.contains(&id) {
                Failed::Deadline(death, open.trail)
            } else {
                Failed::Died(death, open.trail)
            };
            let _ = open.answer.send(Err(failed));
        }
    }

    fn ends_by_itself(&mut self) -> bool {
        let until = Instant::now() + END;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(_)) => return true,
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(_) => return false,
            }
        }
        false
    }

    fn drain(&mut self, queue: &Receiver<Event>) {
        let until = Instant::now() + END;
        while self.open_streams > 0 {
            match queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => self.take(event),
                Err(_) => return,
            }
        }
    }
}

enum Signal {
    Dump,
    Kill,
}

/// Sends a signal: the dump to the child alone, the kill to everything in its group.
#[cfg(unix)]
fn signal(pid: u32, signal: Signal) {
    use rustix::process::{Pid, Signal as Sys, kill_process, kill_process_group};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let _ = match signal {
        Signal::Dump => kill_process(pid, Sys::USR1),
        Signal::Kill => kill_process_group(pid, Sys::KILL),
    };
}

#[cfg(not(unix))]
fn signal(_: u32, _: Signal) {}
