//! Reading a journal back, whatever state the end of its process left it in.

use std::fs;
use std::io;
use std::path::Path;

use super::line;
use super::record::Envelope;

/// What one journal says.
#[derive(Debug, Default)]
pub struct JournalRead {
    /// The readable records, in order.
    pub records: Vec<Envelope>,
    /// Lines that are torn or damaged.
    pub unreadable: u64,
    /// Records that were numbered and are not there.
    pub missing: u64,
}

/// Reads a journal.
pub fn read(path: &Path) -> io::Result<JournalRead> {
    Ok(parse(&fs::read(path)?))
}

/// Reads the bytes of a journal.
pub fn parse(bytes: &[u8]) -> JournalRead {
    let mut read = JournalRead::default();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match std::str::from_utf8(line).ok().and_then(line::decode) {
            Some(envelope) => read.records.push(envelope),
            None => read.unreadable += 1,
        }
    }
    let numbered = read.records.iter().map(|envelope| envelope.seq + 1).max().unwrap_or(0);
    read.missing = numbered.saturating_sub(read.records.len() as u64 + read.unreadable);
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::journal::record::{Metric, Record};

    fn metric(value: f64) -> Record {
        Record::Metric(Metric { name: "m".to_owned(), value, unit: String::new() })
    }

    #[test]
    fn many_threads_lose_nothing_and_a_torn_tail_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j.jsonl");
        let journal = Journal::create(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let journal = &journal;
                scope
                    .spawn(move || (0..250).for_each(|n| journal.append(Some(thread), metric(f64::from(n)))));
            }
        });
        let whole = read(&path).unwrap();
        assert_eq!((whole.records.len(), whole.unreadable, whole.missing), (1000, 0, 0));
        assert!(whole.records.windows(2).all(|pair| pair[0].seq < pair[1].seq && pair[0].t <= pair[1].t));

        let bytes = fs::read(&path).unwrap();
        let torn = parse(&bytes[..bytes.len() - 5]);
        assert_eq!((torn.records.len(), torn.unreadable), (999, 1));

        // The process is gone, and another one closes what it left open.
        fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        Journal::resume(&path).unwrap().append(Some(0), metric(-1.0));
        let resumed = read(&path).unwrap();
        assert_eq!((resumed.records.len(), resumed.unreadable, resumed.missing), (1000, 1, 0));
        assert!(resumed.records[998].t <= resumed.records[999].t);
    }

    #[test]
    fn a_hole_in_the_numbers_is_a_missing_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j.jsonl");
        let journal = Journal::create(&path).unwrap();
        (0..3).for_each(|n| journal.append(None, metric(f64::from(n))));
        let text = fs::read_to_string(&path).unwrap();
        let without_second: String =
            text.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, l)| format!("{l}\n")).collect();
        assert_eq!(parse(without_second.as_bytes()).missing, 1);
    }
}
