//! Where records lie until they are rendered: chunks of mapped files, handed to threads and taken back.
//!
//! A chunk belongs to one log at a time and is written by one thread at a time. Its header says how much of it is
//! committed; that word is stored after everything that it covers, so that whoever reads the file of a dead process finds
//! whole records only. Chunks that were rendered are used again: a process that runs a thousand small tests needs the
//! room of one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::index::Index;
use crate::sys;
use crate::terminal::say;

/// Words of an ordinary chunk: 32 KiB.
const CHUNK: usize = 4096;
/// Words of the first file of a process: 1 MiB. Each further one is twice as large, up to [`LARGEST`].
const FIRST: usize = 128 * 1024;
/// Words of the largest file: 64 MiB, unless one record needs more.
const LARGEST: usize = 8 * 1024 * 1024;
/// Words that may lie in ordinary memory where no file can be had: 64 MiB.
const IN_MEMORY: usize = 8 * 1024 * 1024;
/// Words of a chunk's header: magic and size, number of the log, committed words.
pub const HEADER: usize = 3;
/// What a chunk begins with, in the upper half of its first word.
const MAGIC: u64 = 0x5f5e_c4a7 << 32;

/// A piece of a segment.
#[derive(Debug, Clone, Copy)]
pub struct Chunk {
    words: &'static [AtomicU64],
}

impl Chunk {
    /// The words of it that hold whole records, the header excluded.
    pub fn committed(&self) -> &'static [AtomicU64] {
        let end = (self.words[2].load(Ordering::Acquire) as usize).clamp(HEADER, self.words.len());
        &self.words[HEADER..end]
    }

    /// Appends a record. Only the thread that holds the chunk may call this. Returns whether it fits.
    pub fn push(&self, record: &[u64]) -> bool {
        let at = self.words[2].load(Ordering::Relaxed) as usize;
        let Some(room) = self.words.get(at..at + record.len()) else { return false };
        for (word, value) in room.iter().zip(record) {
            word.store(*value, Ordering::Relaxed);
        }
        // What is committed is visible before it is said to be.
        self.words[2].store((at + record.len()) as u64, Ordering::Release);
        true
    }

    /// Words of it that nothing was written into.
    pub fn room(&self) -> usize {
        self.words.len() - (self.words[2].load(Ordering::Relaxed) as usize).min(self.words.len())
    }

    /// Whether both are the same piece.
    pub fn is(&self, other: &Chunk) -> bool {
        std::ptr::eq(self.words, other.words)
    }

    fn give_to(&self, log: u64) {
        self.words[2].store(HEADER as u64, Ordering::Relaxed);
        self.words[1].store(log, Ordering::Release);
    }
}

/// The chunks of this process.
#[derive(Default)]
struct Arena {
    free: Vec<Chunk>,
    /// Free chunks that were made for one large record.
    large: Vec<Chunk>,
    /// The part of the newest file that was not handed out yet.
    rest: &'static [AtomicU64],
    files: Vec<PathBuf>,
    next_size: usize,
    in_memory: usize,
    /// Words that were taken so far, in files and in memory.
    taken: usize,
    /// Whether it was said that there may be no more.
    full: bool,
    /// Why records do not survive a kill, once that is so.
    volatile: Option<String>,
}

static ARENA: Mutex<Option<Arena>> = Mutex::new(None);
/// Words that the records of a process may take before they are rendered.
static LIMIT: AtomicU64 = AtomicU64::new(DEFAULT_LIMIT / 8);
/// Bytes of that, where nothing else is set: 1 GiB.
pub const DEFAULT_LIMIT: u64 = 1 << 30;

/// Sets how many bytes the records of this process may take before they are rendered. What is beyond is lost and counted.
pub fn limit(bytes: u64) {
    LIMIT.store(bytes / 8, Ordering::Relaxed);
}
static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Names the directory for the files of this process. Before that, records lie in ordinary memory.
pub fn keep_in(directory: &Path) {
    let _ = DIRECTORY.set(directory.to_owned());
}

/// A chunk for a log, with room for a record of `words` words. `None` if there is no room left anywhere.
pub fn take(log: u64, words: usize) -> Option<Chunk> {
    let needed = words + HEADER;
    let mut guard = ARENA.lock().unwrap_or_else(PoisonError::into_inner);
    let arena = guard.get_or_insert_with(Arena::default);
    let chunk = if needed <= CHUNK {
        match arena.free.pop() {
            Some(chunk) => chunk,
            None => arena.carve(CHUNK)?,
        }
    } else {
        match arena.large.iter().position(|chunk| chunk.words.len() >= needed) {
            Some(at) => arena.large.swap_remove(at),
            None => arena.carve(needed.next_multiple_of(CHUNK))?,
        }
    };
    chunk.give_to(log);
    Some(chunk)
}

/// Takes chunks back that were rendered and that no thread holds.
pub fn give_back(chunks: impl Iterator<Item = Chunk>) {
    let mut guard = ARENA.lock().unwrap_or_else(PoisonError::into_inner);
    let arena = guard.get_or_insert_with(Arena::default);
    for chunk in chunks {
        chunk.give_to(0);
        if chunk.words.len() == CHUNK { arena.free.push(chunk) } else { arena.large.push(chunk) }
    }
}

/// Why records do not survive a kill, if that is so.
pub fn volatile() -> Option<String> {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.volatile.clone()
}

/// Removes the files of this process, whose records have all been rendered.
pub fn remove_files() {
    let Ok(mut guard) = ARENA.try_lock() else { return };
    for path in guard.iter_mut().flat_map(|arena| arena.files.drain(..)) {
        let _ = std::fs::remove_file(path);
    }
    super::index::remove();
}

impl Arena {
    fn carve(&mut self, words: usize) -> Option<Chunk> {
        if self.rest.len() < words {
            self.grow(words)?;
        }
        let (chunk, rest) = self.rest.split_at(words);
        self.rest = rest;
        chunk[0].store(MAGIC | words as u64, Ordering::Relaxed);
        Some(Chunk { words: chunk })
    }

    /// A new file. What is left of the last one is lost to it, unless whole chunks fit in.
    fn grow(&mut self, words: usize) -> Option<()> {
        while self.rest.len() >= CHUNK {
            let (chunk, rest) = self.rest.split_at(CHUNK);
            self.rest = rest;
            chunk[0].store(MAGIC | CHUNK as u64, Ordering::Relaxed);
            self.free.push(Chunk { words: chunk });
        }
        let room =
            usize::try_from(LIMIT.load(Ordering::Relaxed)).unwrap_or(usize::MAX).saturating_sub(self.taken);
        if room < words {
            if !self.full {
                self.full = true;
                say!(
                    "stageflow-stress: the records of this process take {} MiB, which is the limit; the next ones are lost and \
                     counted until a test has ended (`capture_limit` in stageflow.toml, STAGEFLOW_CAPTURE_LIMIT)",
                    self.taken / (1024 * 1024 / 8)
                );
            }
            return None;
        }
        let size = self.next_size.clamp(FIRST, LARGEST).max(words).min(room);
        match self.new_file(size) {
            Ok(rest) => {
                self.taken += size;
                self.rest = rest;
                self.next_size = size.saturating_mul(2);
            }
            Err(error) => {
                // Better kept in memory and lost to a kill than lost at once; but not without bounds.
                let size = words.max(FIRST).min(room);
                let room = self.in_memory + size <= IN_MEMORY;
                if self.volatile.is_none() && DIRECTORY.get().is_some() {
                    self.volatile = Some(error.to_string());
                    say!(
                        "stageflow-stress: no file for log records: {error}; the next ones are kept in memory and do not \
                         survive a kill"
                    );
                }
                let mut memory = Vec::new();
                if !room || memory.try_reserve_exact(size).is_err() {
                    return None;
                }
                memory.resize_with(size, AtomicU64::default);
                self.in_memory += size;
                self.taken += size;
                self.rest = Vec::leak(memory);
            }
        }
        Some(())
    }

    fn new_file(&mut self, words: usize) -> io::Result<&'static [AtomicU64]> {
        let directory = DIRECTORY.get().ok_or_else(|| io::Error::other("no directory was named"))?;
        let stem = Index::stem(directory)?;
        let path = directory.join(format!("{stem}-{}.seg", self.files.len()));
        let mapped = sys::map_new(&path, words)?;
        self.files.push(path);
        Ok(mapped)
    }
}

/// The chunks in the file of a dead process: number of the log and committed words.
pub fn chunks_of(words: &[u64]) -> impl Iterator<Item = (u64, &[u64])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = words.get(at..at + HEADER)?;
        let size = (header[0] & 0xffff_ffff) as usize;
        if header[0] & !0xffff_ffff != MAGIC || size < HEADER {
            return None;
        }
        let end = (header[2] as usize).clamp(HEADER, size);
        let committed = words.get(at + HEADER..(at + end).min(words.len())).unwrap_or_default();
        at += size;
        Some((header[1], committed))
    })
}
