//! The records of processes that are gone: found in their segments, and written into the logs they belong to.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::arena::chunks_of;
use super::index::{self, OtherIndex};
use super::logfile::statement;
use super::record::{Found, find};
use super::render::Rendering;
use crate::log::format::micros_of;
use crate::sys;
use crate::terminal::say;

/// Records of one log, and how many chunks of it were damaged.
type Records<'a> = (Vec<Found<&'a [u64]>>, u64);

/// Writes what dead processes recorded into their logs and removes their segments. Returns how many records were written.
///
/// Records that a log already holds are passed over, so that doing it again, or after a process that died while it was
/// rendering, writes nothing twice. Segments whose process may be alive, or belongs to another host, are left alone.
pub fn recover(directory: &Path) -> io::Result<u64> {
    let mut written = 0;
    let Ok(items) = std::fs::read_dir(directory) else { return Ok(0) };
    let indexes: Vec<PathBuf> = items
        .filter_map(|item| Some(item.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "index"))
        .collect();
    for path in indexes {
        // Another process may have been faster.
        let Some((host, pid, ticks, boot)) = index::process_of(&path) else { continue };
        if host != sys::host_name() || sys::is_alive(pid, ticks, &boot) {
            continue;
        }
        let Ok(index) = index::read(&path) else { continue };
        written += recover_process(&path, &index, pid)?;
    }
    Ok(written)
}

fn recover_process(index_path: &Path, index: &OtherIndex, pid: u32) -> io::Result<u64> {
    let mut files = Vec::new();
    for n in 0_u32.. {
        let path = index_path.with_file_name(format!(
            "{}-{n}.seg",
            index_path.file_stem().unwrap_or_default().to_string_lossy()
        ));
        match std::fs::read(&path) {
            Ok(bytes) => {
                let (words, _) = bytes.as_chunks::<8>();
                files.push((path, words.iter().map(|word| u64::from_ne_bytes(*word)).collect::<Vec<_>>()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    let mut found: BTreeMap<u64, Records<'_>> = BTreeMap::new();
    for (_, words) in &files {
        for (log, committed) in chunks_of(words).filter(|(log, _)| *log != 0) {
            let (records, damaged) = found.entry(log).or_default();
            *damaged += u64::from(find(committed, records) > 0);
        }
    }
    let mut written = 0;
    for (log, path) in &index.logs {
        let (records, damaged) = found.remove(log).unwrap_or_default();
        // A log that is gone, or that its process ended, needs nothing.
        let Ok((mut rendering, numbers)) = Rendering::resume(path) else { continue };
        let known: HashSet<u64> = numbers.into_iter().collect();
        let short = |found: &Found<&[u64]>| found.head().seq == 0;
        let records: Vec<_> =
            records.into_iter().filter(|found| short(found) || !known.contains(&found.seq())).collect();
        if !records.iter().any(|found| !short(found)) && rendering.finished {
            continue;
        }
        let before = rendering.records + rendering.span_records;
        let nanos = records.iter().map(|found| found.head().nanos).max().unwrap_or(0);
        rendering.damaged += damaged;
        rendering.write(records, &index.tables);
        rendering.write_open_spans(micros_of(SystemTime::now()), nanos, &index.tables);
        let lost = rendering.lost + rendering.damaged;
        let how = format!("process {pid} ended without it; its records were recovered");
        rendering.write_statement(&statement(&rendering, lost, None, &how));
        written += rendering.records + rendering.span_records - before;
        if let Some(why) = &rendering.why {
            // The segments stay: there may be room another time.
            say!("stageflow-stress: cannot write to {}: {why}; its records are kept", path.display());
            return Err(io::Error::other(why.clone()));
        }
    }
    for (path, _) in &files {
        let _ = std::fs::remove_file(path);
    }
    let _ = std::fs::remove_file(index_path);
    Ok(written)
}
