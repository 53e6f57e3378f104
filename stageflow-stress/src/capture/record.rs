//! The binary form of a record: what a thread stores into its chunk.
//!
//! A record is a sequence of words of eight bytes. The first one holds its checksum, its length and its kind. Enters and
//! exits of spans have three more; all others have the words of [`Head`], and then bytes.

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An event from a place in the source.
    Event = 1,
    /// An event whose target, message and keys are all within it.
    Dynamic = 2,
    /// A span was opened.
    New = 3,
    /// A span was given fields.
    Fields = 4,
    /// A span was closed.
    Close = 5,
    /// A thread went into a span.
    Enter = 6,
    /// A thread left a span.
    Exit = 7,
}

const KINDS: [Kind; 7] =
    [Kind::Event, Kind::Dynamic, Kind::New, Kind::Fields, Kind::Close, Kind::Enter, Kind::Exit];

/// The words of a record before its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Position within the test.
    pub seq: u64,
    /// Monotonic time.
    pub nanos: u64,
    /// Wall time.
    pub micros: u64,
    /// Number of the thread's name.
    pub thread: u32,
    /// Number of the place; 0 and unused in a dynamic event.
    pub site: u32,
    /// Number of the innermost span.
    pub span: u64,
    /// Number of the span around it.
    pub parent: u64,
    /// Position of the route among all routes.
    pub route: u8,
    /// Position of the level among all levels, from 1; 0 for none.
    pub level: u8,
    /// Whether the bytes begin with the path of the spans: those that no record of this log tells of.
    pub path: bool,
}

/// Words of a head, the first word of the record included.
const HEAD: usize = 8;
/// Words of an enter or exit.
const SHORT: usize = 4;

/// Puts a record together in `words`. `None` if it is longer than its length can say.
pub fn encode(words: &mut Vec<u64>, kind: Kind, head: &Head, bytes: &[u8]) -> Option<()> {
    words.clear();
    words.extend([
        0,
        head.seq,
        head.nanos,
        head.micros,
        u64::from(head.thread) | u64::from(head.site) << 32,
        head.span,
        head.parent,
        u64::from(head.route)
            | u64::from(head.level) << 8
            | u64::from(head.path) << 16
            | (u64::from(u32::try_from(bytes.len()).ok()?)) << 32,
    ]);
    let (whole, rest) = bytes.as_chunks::<8>();
    words.extend(whole.iter().map(|chunk| u64::from_le_bytes(*chunk)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words.push(u64::from_le_bytes(last));
    }
    seal(words, kind)
}

/// Puts the record of an enter or exit together.
pub fn encode_short(words: &mut Vec<u64>, kind: Kind, nanos: u64, span: u64, thread: u32) {
    words.clear();
    words.extend([0, nanos, span, u64::from(thread)]);
    let _ = seal(words, kind);
}

fn seal(words: &mut [u64], kind: Kind) -> Option<()> {
    let length = u64::try_from(words.len()).ok().filter(|length| *length < 1 << 24)?;
    words[0] = length << 32 | (kind as u64) << 56;
    words[0] |= u64::from(checksum(words.iter().copied()));
    Some(())
}

/// Over every word, the checksum's own place taken as zero.
fn checksum(words: impl Iterator<Item = u64>) -> u32 {
    // A multiplication a word, folded: it sees a torn page and a flipped bit, and costs less than what it protects.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for (n, word) in words.enumerate() {
        let word = if n == 0 { word & !0xffff_ffff } else { word };
        let product = u128::from(word ^ state) * 0xd6e8_feb8_6659_fd93_u128;
        state = (product as u64) ^ ((product >> 64) as u64) ^ state.rotate_left(29);
    }
    (state ^ state >> 32) as u32
}

/// A record that was found, not yet read.
#[derive(Debug, Clone, Copy)]
pub struct Found<W> {
    /// What it is.
    pub kind: Kind,
    /// All its words.
    pub words: W,
}

/// Words that can be read: of this process's memory or of a file.
pub trait Words: Copy {
    /// The word at a position that exists.
    fn at(self, position: usize) -> u64;
    /// How many there are.
    fn count(self) -> usize;
    /// A part of them that exists.
    fn part(self, from: usize, to: usize) -> Self;
}

impl Words for &[u64] {
    fn at(self, position: usize) -> u64 {
        self[position]
    }

    fn count(self) -> usize {
        self.len()
    }

    fn part(self, from: usize, to: usize) -> Self {
        &self[from..to]
    }
}

impl Words for &[std::sync::atomic::AtomicU64] {
    fn at(self, position: usize) -> u64 {
        self[position].load(std::sync::atomic::Ordering::Relaxed)
    }

    fn count(self) -> usize {
        self.len()
    }

    fn part(self, from: usize, to: usize) -> Self {
        &self[from..to]
    }
}

/// The records among the committed words of a chunk. The number is that of the words that belong to none: from the first
/// one that is damaged on, nothing can be told apart.
pub fn find<W: Words>(words: W, found: &mut Vec<Found<W>>) -> usize {
    let mut at = 0;
    while at < words.count() {
        let first = words.at(at);
        let length = (first >> 32 & 0xff_ffff) as usize;
        let kind = KINDS.iter().find(|kind| **kind as u64 == first >> 56);
        let (Some(kind), true) = (kind, length >= SHORT && at + length <= words.count()) else { break };
        let record = words.part(at, at + length);
        let least = if matches!(kind, Kind::Enter | Kind::Exit) { SHORT } else { HEAD };
        if length < least || checksum((0..length).map(|n| record.at(n))) != first as u32 {
            break;
        }
        found.push(Found { kind: *kind, words: record });
        at += length;
    }
    words.count() - at
}

impl<W: Words> Found<W> {
    /// The words before the bytes.
    pub fn head(&self) -> Head {
        let at = |position| self.words.at(position);
        if matches!(self.kind, Kind::Enter | Kind::Exit) {
            return Head { nanos: at(1), span: at(2), thread: at(3) as u32, ..Head::default() };
        }
        Head {
            seq: at(1),
            nanos: at(2),
            micros: at(3),
            thread: at(4) as u32,
            site: (at(4) >> 32) as u32,
            span: at(5),
            parent: at(6),
            route: at(7) as u8,
            level: (at(7) >> 8) as u8,
            path: at(7) >> 16 & 1 == 1,
        }
    }

    /// The number by which records are ordered; enters and exits have none.
    pub fn seq(&self) -> u64 {
        self.words.at(1)
    }

    /// Copies the bytes.
    pub fn bytes(&self, into: &mut Vec<u8>) {
        into.clear();
        if self.words.count() < HEAD {
            return;
        }
        for position in HEAD..self.words.count() {
            into.extend_from_slice(&self.words.at(position).to_le_bytes());
        }
        into.truncate((self.words.at(7) >> 32) as usize);
    }
}

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A number without sign.
    Unsigned(u64),
    /// A number.
    Signed(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

/// Appends a text.
pub fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Appends a value.
pub fn put(bytes: &mut Vec<u8>, value: Value<'_>) {
    let (tag, word) = match value {
        Value::Text(text) => {
            bytes.push(0);
            return put_text(bytes, text);
        }
        Value::Unsigned(number) => (1, number),
        Value::Signed(number) => (2, number.cast_unsigned()),
        Value::Float(number) => (3, number.to_bits()),
        Value::Bool(yes) => (4, u64::from(yes)),
    };
    bytes.push(tag);
    bytes.extend_from_slice(&word.to_le_bytes());
}

/// Reads what [`put`] and [`put_text`] appended.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A text.
    pub fn text(&mut self) -> Option<&'a str> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// A value.
    pub fn value(&mut self) -> Option<Value<'a>> {
        let tag = self.byte()?;
        if tag == 0 {
            return self.text().map(Value::Text);
        }
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        let word = u64::from_le_bytes(*word);
        Some(match tag {
            1 => Value::Unsigned(word),
            2 => Value::Signed(word.cast_signed()),
            3 => Value::Float(f64::from_bits(word)),
            _ => Value::Bool(word != 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: Head = Head {
        seq: 7,
        nanos: u64::MAX,
        micros: 3,
        thread: u32::MAX,
        site: 5,
        span: 6,
        parent: 1,
        route: 3,
        level: 6,
        path: true,
    };

    fn sample() -> Vec<u64> {
        let (mut all, mut words) = (Vec::new(), Vec::new());
        for length in 0..20 {
            let bytes: Vec<u8> = (0..length).collect();
            encode(&mut words, Kind::Event, &HEADS, &bytes).unwrap();
            all.extend_from_slice(&words);
            encode_short(&mut words, Kind::Exit, 9, 6, 4);
            all.extend_from_slice(&words);
        }
        all
    }

    #[test]
    fn what_is_put_together_is_found_and_read() {
        let all = sample();
        let mut found = Vec::new();
        assert_eq!(find(all.as_slice(), &mut found), 0);
        assert_eq!(found.len(), 40);
        let mut bytes = Vec::new();
        for (n, pair) in found.chunks(2).enumerate() {
            assert_eq!((pair[0].kind, pair[0].head()), (Kind::Event, HEADS));
            pair[0].bytes(&mut bytes);
            assert_eq!(bytes, (0..n as u8).collect::<Vec<_>>());
            assert_eq!(pair[1].head(), Head { nanos: 9, span: 6, thread: 4, ..Head::default() });
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_ends_what_is_believed() {
        let all = sample();
        let whole = |words: &[u64]| {
            let mut found = Vec::new();
            let rest = find(words, &mut found);
            (found.iter().map(|found| found.words.to_vec()).collect::<Vec<_>>().concat(), rest)
        };
        for at in 0..all.len() {
            for bit in (0..64).step_by(7) {
                let mut damaged = all.clone();
                damaged[at] ^= 1 << bit;
                let (read, rest) = whole(&damaged);
                assert!(read.len() <= at && all.starts_with(&read), "word {at}, bit {bit}");
                assert_eq!(rest, all.len() - read.len());
            }
            assert!(all.starts_with(&whole(&all[..at]).0), "cut at {at}");
        }
    }

    #[test]
    fn values_are_read_back() {
        let values = [
            Value::Text("ünï"),
            Value::Text(""),
            Value::Unsigned(u64::MAX),
            Value::Signed(-1),
            Value::Float(-0.5),
            Value::Bool(true),
            Value::Bool(false),
        ];
        let mut bytes = Vec::new();
        values.iter().for_each(|value| put(&mut bytes, *value));
        let mut reader = Reader(&bytes);
        assert_eq!(std::iter::from_fn(|| reader.value()).collect::<Vec<_>>(), values);
        for cut in 0..bytes.len() {
            let mut reader = Reader(&bytes[..cut]);
            while reader.value().is_some() {}
        }
    }
}
