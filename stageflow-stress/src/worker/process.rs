//! One child: its process, its streams, and the threads that serve them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use super::output::ChildOutput;
use super::protocol::Refusal;
use super::trail::Trail;
use super::watch::Watch;
use super::{WorkerDeath, lock};

/// Lines that wait for the watcher; a child that writes faster waits for it.
const QUEUE: usize = 4096;
/// Longest line; what is longer is taken in pieces.
const LINE: u64 = 64 << 20;

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
pub(super) struct Requests {
    pub(super) open: BTreeMap<u64, Box<Open>>,
    /// No more are taken: the child is gone.
    pub(super) closed: bool,
}

/// What the watcher and the worker share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) requests: Mutex<Requests>,
    /// Lines for the child; closing it closes the child's standard input.
    pub(super) input: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    /// The worker wants the child gone, now.
    pub(super) kill: AtomicBool,
    /// The worker asked the child to end, so that its end is no death.
    pub(super) ending: AtomicBool,
}

impl Shared {
    pub(super) fn tell(&self, line: Vec<u8>) {
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
    pub(super) late_errors: std::sync::atomic::AtomicU64,
}

/// What the watcher hears.
pub(super) enum Event {
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
        let watch = Watch::new(name, child, Arc::clone(&shared), around);
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
