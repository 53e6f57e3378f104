//! One line: JSON, closed by `,"crc":"xxxxxxxx"}` over everything before it.

use super::record::Envelope;
use crate::redact;

const OPEN: &str = ",\"crc\":\"";
const CLOSE: &str = "\"}";

/// The line of an envelope, with its newline.
pub fn encode(envelope: &Envelope) -> serde_json::Result<String> {
    let mut line = serde_json::to_string(envelope)?;
    if let Some(clean) = redact::json(&line) {
        line = clean;
    }
    line.pop();
    let crc = crc32fast::hash(line.as_bytes());
    line.push_str(&format!("{OPEN}{crc:08x}{CLOSE}\n"));
    Ok(line)
}

/// The envelope of a line without its newline; `None` if the line is torn or damaged.
pub fn decode(line: &str) -> Option<Envelope> {
    let body = line.strip_suffix(CLOSE)?;
    let (body, crc) = body.split_at_checked(body.len().checked_sub(8)?)?;
    let body = body.strip_suffix(OPEN)?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(body.as_bytes()) {
        return None;
    }
    serde_json::from_str(&format!("{body}}}")).ok()
}

/// The number of a whole record; `None` for anything else.
pub fn sequence(line: &[u8]) -> Option<u64> {
    Some(decode(std::str::from_utf8(line).ok()?)?.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{Metric, Record};

    fn envelope(name: &str) -> Envelope {
        let metric = Metric { name: name.to_owned(), value: 0.1, unit: "s".to_owned() };
        Envelope {
            v: 1,
            seq: 7,
            t: 42,
            ts: "2026-01-14T09:00:00.000000Z".to_owned(),
            test: Some(0),
            r: Record::Metric(metric),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for name in ["plain", "quote \" and ,\"crc\":\"00000000\"}", "new\nline", "\u{0}", ""] {
            let line = encode(&envelope(name)).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "one line: {line:?}");
            assert_eq!(decode(line.trim_end_matches('\n')), Some(envelope(name)));
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_noticed() {
        let line = encode(&envelope("x")).unwrap();
        let line = line.trim_end_matches('\n');
        for cut in 0..line.len() {
            assert_eq!(decode(&line[..cut]), None, "cut at {cut}");
        }
        for at in 0..line.len() {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= 1;
            if let Ok(text) = String::from_utf8(bytes) {
                assert_ne!(decode(&text), Some(envelope("x")), "byte {at}");
            }
        }
    }
}
