//! One child: its process, its streams, and the thread that watches both.
//!
//! The watcher takes every line in the order of arrival, gives answers to those who wait for them, keeps the deadlines,
//! and reaps the process. It uses neither the runtime of the test nor its clock.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::output::{ChildOutput, ChildRecord, ChildStream};
use super::protocol::{self, Line, Refusal};
use super::trail::Trail;
use super::{WorkerDeath, WorkerExit, WorkerKill, lock};

/// Lines that wait for the watcher; a child that writes faster waits for it.
const QUEUE: usize = 4096;
/// Longest line; what is longer is taken in pieces.
const LINE: u64 = 64 << 20;
/// Last lines that a death carries.
const LAST_LINES: usize = 25;
/// How long a child may take to end after it closed its stream, and its streams after it ended.
const END: Duration = Duration::from_secs(2);
/// How long a hanging child may take to write its stacks, in all and between two lines.
const STACKS: Duration = Duration::from_millis(1500);
const STACKS_PAUSE: Duration = Duration::from_millis(250);

/// Why a request has no result.
#[derive(Debug)]
pub(super) enum Failed {
    Refused(Refusal),
    Died(Box<WorkerDeath>, Trail),
    Deadline(Box<WorkerDeath>, Trail),
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Open {
    /// What it is, as messages name it.
    pub(super) what: String,
    pub(super) allowed: Duration,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Value, Failed>>,
    pub(super) trail: Trail,
}

#[derive(Debug, Default)]
struct Requests {
    open: BTreeMap<u64, Box<Open>>,
    /// No more are taken: the child is gone.
    closed: bool,
}

/// What the watcher and the worker share.
#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Requests>,
    /// Lines for the child; closing it closes the child's standard input.
    input: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    /// The worker wants the child gone, now.
    kill: AtomicBool,
    /// The worker asked the child to end, so that its end is no death.
    ending: AtomicBool,
}

impl Shared {
    fn tell(&self, line: Vec<u8>) {
        if let Some(input) = &*lock(&self.input) {
            // A writer that ended has found the child gone, which is the watcher's to report.
            let _ = input.send(line);
        }
    }
}

/// What outlives a single child.
pub(super) struct Surroundings {
    pub(super) output: Arc<dyn ChildOutput>,
    pub(super) deaths: Mutex<Vec<WorkerDeath>>,
    pub(super) garbage: std::sync::atomic::AtomicU64,
}

enum Event {
    Out(Vec<u8>),
    Err(Vec<u8>),
    OutEnd,
    ErrEnd,
    Wake,
}

/// A running child, seen from the worker.
pub(super) struct Running {
    shared: Arc<Shared>,
    events: SyncSender<Event>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    pub(super) fn spawn(
        name: String,
        command: &mut Command,
        around: Arc<Surroundings>,
    ) -> std::io::Result<Running> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what the target starts can be ended with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.spawn()?;
        let (events, queue) = mpsc::sync_channel(QUEUE);
        let (input, lines) = mpsc::channel::<Vec<u8>>();
        let shared = Arc::new(Shared { input: Mutex::new(Some(input)), ..Shared::default() });
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(std::io::Error::other("the child has no pipes"));
        };
        let writer = thread::Builder::new().name("stageflow-worker-in".to_owned()).spawn(move || {
            while let Ok(line) = lines.recv() {
                // A child that is gone is the watcher's to report.
                if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                    break;
                }
            }
        })?;
        let readers = [
            read(stdout, events.clone(), Event::Out, Event::OutEnd)?,
            read(stderr, events.clone(), Event::Err, Event::ErrEnd)?,
        ];
        let watch = Watch {
            worker: name,
            pid: child.id(),
            child,
            shared: Arc::clone(&shared),
            around,
            dump_signal: false,
            last_lines: VecDeque::new(),
            stacks: None,
            open_streams: 2,
        };
        let watcher = thread::Builder::new().name("stageflow-worker-watch".to_owned()).spawn(move || {
            // A stream that something else holds open is not waited for.
            if watch.run(queue) {
                for reader in readers {
                    let _ = reader.join();
                }
            }
        })?;
        Ok(Running { shared, events, threads: vec![watcher, writer] })
    }

    /// Sends a request; gives it back if the child is gone.
    pub(super) fn send(&self, id: u64, line: Vec<u8>, open: Box<Open>) -> Result<(), Box<Open>> {
        {
            let mut requests = lock(&self.shared.requests);
            if requests.closed {
                return Err(open);
            }
            requests.open.insert(id, open);
        }
        // Both may find the child gone: then the watcher answers the request.
        self.tell(line);
        // A full queue means that the watcher is awake, and it looks at deadlines after every line.
        let _ = self.events.try_send(Event::Wake);
        Ok(())
    }

    /// Sends a line that nobody waits for.
    pub(super) fn tell(&self, line: Vec<u8>) {
        self.shared.tell(line);
    }

    /// Waits for the child to end by itself, then lets go of it.
    pub(super) fn wait(self, at_most: Duration) {
        *lock(&self.shared.input) = None;
        let until = Instant::now() + at_most;
        while Instant::now() < until && !lock(&self.shared.requests).closed {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// From now on the end of the child is no death.
    pub(super) fn expect_end(&self) {
        self.shared.ending.store(true, Ordering::Release);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.kill.store(true, Ordering::Release);
        let _ = self.events.try_send(Event::Wake);
        *lock(&self.shared.input) = None;
        for thread in self.threads.drain(..) {
            // Dropped from within an output: the watcher cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn read(
    stream: impl Read + Send + 'static,
    events: SyncSender<Event>,
    line: fn(Vec<u8>) -> Event,
    end: Event,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("stageflow-worker-out".to_owned()).spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut bytes = Vec::new();
            match stream.by_ref().take(LINE).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    if events.send(line(bytes)).is_err() {
                        return;
                    }
                }
            }
        }
        let _ = events.send(end);
    })
}

/// The watcher's own state.
struct Watch {
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
    /// Watches until the child is gone and reaped. Tells whether both of its streams ended.
    fn run(mut self, queue: Receiver<Event>) -> bool {
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
            _ => {
                let Some(run) = body.get("run").and_then(Value::as_u64) else { return };
                if let Some(open) = lock(&self.shared.requests).open.get_mut(&run) {
                    open.trail.note(kind, &body);
                }
            }
        }
    }

    fn deliver(&mut self, record: ChildRecord) {
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(record.message.clone());
        let output = &self.around.output;
        // An output that panics must not take the watcher with it: nobody else would reap the child.
        let _ = catch_unwind(AssertUnwindSafe(|| output.log(record)));
    }

    /// Asks a hanging child for its stacks: by request, for a loop that still turns, and by signal, for one that does not.
    fn take_stacks(&mut self, queue: &Receiver<Event>) {
        if !self.dump_signal {
            return;
        }
        self.stacks = Some(Vec::new());
        self.shared.tell(b"{\"op\":\"dump\"}\n".to_vec());
        signal(self.pid, Signal::Dump);
        let until = Instant::now() + STACKS;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(STACKS_PAUSE);
            match queue.recv_timeout(left) {
                Ok(event) if !left.is_zero() => self.take(event),
                _ => return,
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
