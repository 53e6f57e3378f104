//! Text of bytes: what is no UTF-8 is replaced, colours are removed, both are counted.

use std::borrow::Cow;

/// What [`super::read`] needs to keep: the text of the file, once it is text.
pub(crate) struct Source<'a> {
    text: Cow<'a, str>,
    pub(super) invalid_utf8: u64,
    pub(super) nuls: u64,
    pub(super) coloured: u64,
}

impl<'a> Source<'a> {
    /// Makes text of bytes: what is no UTF-8 is replaced and counted, colours are removed.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut invalid_utf8 = 0;
        let mut text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let mut out = String::with_capacity(bytes.len() + 16);
                for chunk in bytes.utf8_chunks() {
                    out.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        invalid_utf8 += chunk.invalid().len() as u64;
                        out.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                Cow::Owned(out)
            }
        };
        if let Some(rest) = text.strip_prefix('\u{feff}') {
            text = Cow::Owned(rest.to_owned());
        }
        let (mut nuls, mut coloured) = (0, 0);
        let (has_nul, has_escape) = odd_bytes(text.as_bytes());
        if has_nul {
            nuls = text.bytes().filter(|b| *b == 0).count() as u64;
        }
        if has_escape {
            let (plain, lines) = without_colours(&text);
            coloured = lines;
            text = Cow::Owned(plain);
        }
        Source { text, invalid_utf8, nuls, coloured }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes that are no UTF-8.
    pub fn invalid_utf8(&self) -> u64 {
        self.invalid_utf8
    }
}

/// Whether there are NUL bytes, and escapes of a terminal. In pieces that the compiler can compare many bytes of at once.
fn odd_bytes(bytes: &[u8]) -> (bool, bool) {
    bytes.chunks(256).fold((false, false), |(nul, escape), piece| {
        let odd = piece
            .iter()
            .fold((0u8, 0u8), |(nul, escape), b| (nul | u8::from(*b == 0), escape | u8::from(*b == 0x1b)));
        (nul | (odd.0 != 0), escape | (odd.1 != 0))
    })
}

/// Removes the escape sequences by which terminals colour text.
fn without_colours(text: &str) -> (String, u64) {
    let mut out = String::with_capacity(text.len());
    let mut lines = 0;
    for line in text.split_inclusive('\n') {
        if !line.contains('\u{1b}') {
            out.push_str(line);
            continue;
        }
        lines += 1;
        let mut rest = line;
        while let Some(at) = rest.find('\u{1b}') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(sequence) = rest.strip_prefix('[') {
                // It ends at its first letter.
                let end =
                    sequence.find(|c: char| ('@'..='~').contains(&c)).map_or(sequence.len(), |end| end + 1);
                rest = &sequence[end..];
            }
        }
        out.push_str(rest);
    }
    (out, lines)
}
