//! What a thread needs to record: its chunk, its buffers, and what it knows of places and of its own name.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use tracing::Metadata;

use super::arena::Chunk;
use super::index;
use super::logfile::Shared;
use super::record::{Head, Kind, encode, encode_short};
use crate::log::format::micros_of;
use crate::redact::NameRule;

/// Places that a thread remembers at once.
const REMEMBERED: usize = 128;

/// The recorder of one thread.
#[derive(Debug, Default)]
pub struct Writer {
    /// The log that the chunk belongs to.
    log: Option<Arc<Shared>>,
    chunk: Option<Chunk>,
    thread: Option<u32>,
    places: Vec<Option<Place>>,
    words: Vec<u64>,
    /// The bytes of the record that is being put together.
    pub bytes: Vec<u8>,
    /// For what is formatted.
    pub text: String,
}

/// A place in the source, as a thread remembers it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    metadata: &'static Metadata<'static>,
    /// Its number.
    pub site: u32,
    /// What the names of its fields say about redaction.
    pub rules: &'static [NameRule],
}

/// The log that a record goes to, unless it is the one of the record before.
pub type Aim = Option<Arc<Shared>>;

thread_local! {
    static WRITER: Cell<Option<Box<Writer>>> = const { Cell::new(None) };
}

/// Lends the thread's writer. What is logged while a value is formatted comes here within another record, and gets a
/// writer of its own; so does what is logged while the thread's locals are destroyed.
pub fn with<T>(action: impl FnOnce(&mut Writer) -> T) -> T {
    let mut writer = WRITER.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = action(&mut writer);
    let mut writer = Some(writer);
    let _ = WRITER.try_with(|own| own.set(writer.take()));
    result
}

/// Gives back what the thread holds for a log, so that it can be rendered whole.
pub fn let_go() {
    with(|writer| writer.release());
}

/// Nanoseconds since the process began to record, by the monotonic clock.
pub fn nanos_now() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Writer {
    /// The place of an event or a span.
    pub fn place(&mut self, metadata: &'static Metadata<'static>) -> Place {
        let at = (std::ptr::from_ref(metadata) as usize >> 4) % REMEMBERED;
        if self.places.is_empty() {
            self.places.resize(REMEMBERED, None);
        }
        if let Some(place) = &self.places[at]
            && std::ptr::eq(place.metadata, metadata)
        {
            return *place;
        }
        let (site, rules) = index::locked().site(metadata);
        let place = Place { metadata, site, rules };
        self.places[at] = Some(place);
        place
    }

    fn thread(&mut self) -> u32 {
        if let Some(number) = self.thread {
            return number;
        }
        let current = std::thread::current();
        let number = index::locked().thread(current.name().unwrap_or_default());
        self.thread = Some(number);
        number
    }

    /// Where [`Writer::commit`] records: nothing if this thread records there already, which is mostly so.
    pub fn aim(&self, log: &Arc<Shared>) -> Aim {
        if self.log.as_ref().is_some_and(|own| Arc::ptr_eq(own, log)) { None } else { Some(log.clone()) }
    }

    /// Records what was put together in `bytes`. The head's times, thread and number are given here.
    pub fn commit(&mut self, aim: Aim, kind: Kind, mut head: Head) {
        self.turn(aim);
        head.thread = self.thread();
        head.nanos = nanos_now();
        head.micros = micros_of(SystemTime::now());
        let Some(log) = &self.log else { return };
        // The number comes last: what takes long, and what may panic, has happened.
        head.seq = log.next_number();
        match encode(&mut self.words, kind, &head, &self.bytes) {
            Some(()) => self.push(),
            None => log.lose(),
        }
    }

    /// Records that this thread went into a span or left it.
    pub fn commit_short(&mut self, aim: Aim, kind: Kind, span: u64) {
        self.turn(aim);
        let thread = self.thread();
        encode_short(&mut self.words, kind, nanos_now(), span, thread);
        self.push();
    }

    fn turn(&mut self, aim: Aim) {
        if let Some(log) = aim {
            self.release();
            self.log = Some(log);
        }
    }

    fn push(&mut self) {
        let Some(log) = &self.log else { return };
        loop {
            if let Some(chunk) = &self.chunk {
                if chunk.push(&self.words) {
                    return;
                }
                log.release(*chunk, false);
            }
            self.chunk = log.chunk_for(self.words.len());
            if self.chunk.is_none() {
                log.lose();
                return;
            }
        }
    }

    fn release(&mut self) {
        if let (Some(log), Some(chunk)) = (self.log.take(), self.chunk.take()) {
            log.release(chunk, true);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.release();
    }
}
