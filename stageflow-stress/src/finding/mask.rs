//! Typed masking: what varies from run to run in a message becomes `<*>`, what names a defect stays.
//!
//! The rules are part of the fingerprint's definition and are written down in `docs/fingerprint.md`. Changing one of
//! them changes fingerprints, so it needs a new version prefix there.

use std::net::Ipv6Addr;

/// What stands for a masked value.
pub const MASK: &str = "<*>";

/// Replaces values (numbers, identifiers, paths, addresses, quoted text, `key=value` values) by `<*>` and collapses
/// whitespace. Takes time linear in the length of the text.
///
/// Names stay: words, code in backticks, digits that follow a letter (`p99`, `utf8`), relative paths such as
/// `src/lib.rs`.
///
/// ```
/// use stageflow_stress::finding::mask;
///
/// assert_eq!(
///     mask("merged 498 of 500 outputs in 12.5ms, run=7f3a, file \"a b.json\""),
///     "merged <*> of <*> outputs in <*>, run=<*>, file <*>"
/// );
/// ```
#[must_use]
pub fn mask(text: &str) -> String {
    Scanner { text, bytes: text.as_bytes(), at: 0, out: Out::default(), unclosed: [false; 2] }.run()
}

/// The masked text so far.
#[derive(Default)]
struct Out {
    text: String,
    /// Whether only separators followed the last mask, so that another mask says nothing new.
    after_mask: bool,
    /// Length of the text up to and including the last mask.
    mask_end: usize,
    /// Whitespace was read and not yet written.
    space: bool,
}

impl Out {
    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.space = true;
            return;
        }
        self.flush_space();
        self.text.push(c);
        self.after_mask &= matches!(c, ',' | ';');
    }

    fn push_str(&mut self, text: &str) {
        for c in text.chars() {
            self.push(c);
        }
    }

    fn flush_space(&mut self) {
        if self.space && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.space = false;
    }

    /// Writes a mask. Masks with nothing but commas, semicolons and spaces between them become one, so that lists of
    /// different length mask alike.
    fn mask(&mut self) {
        if self.after_mask {
            self.text.truncate(self.mask_end);
            self.space = false;
            return;
        }
        self.flush_space();
        self.text.push_str(MASK);
        self.after_mask = true;
        self.mask_end = self.text.len();
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: Out,
    /// For `"` and `'`: a search for the closing one has failed before, so that every later one fails as well. Without
    /// this, a text of opening quotes would take quadratic time.
    unclosed: [bool; 2],
}

impl Scanner<'_> {
    fn run(mut self) -> String {
        while self.at < self.bytes.len() {
            match self.value() {
                Some(end) => {
                    self.out.mask();
                    self.at = end;
                }
                None => self.keep(),
            }
        }
        self.out.text
    }

    /// End of the value that begins here, if one does. The order of the rules matters: the first that fits wins.
    fn value(&mut self) -> Option<usize> {
        let byte = self.bytes[self.at];
        if self.text[self.at..].starts_with(MASK) {
            return Some(self.at + MASK.len());
        }
        if matches!(byte, b'"' | b'\'') {
            return self.quoted(byte);
        }
        if byte == b'=' {
            return None;
        }
        if self.after_key() {
            return Some(self.end_of(|b| b.is_ascii_whitespace() || b",;)]}\"'".contains(&b)));
        }
        if !self.at_boundary() {
            return None;
        }
        self.url()
            .or_else(|| self.path())
            .or_else(|| self.uuid())
            .or_else(|| self.ipv6())
            .or_else(|| self.number())
            .or_else(|| self.hex())
    }

    /// Writes one character, or the whole word that begins here, so that no rule looks into a word.
    fn keep(&mut self) {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().unwrap_or_default();
        let end = if is_letter_char(first) {
            rest.find(|c: char| !is_word_char(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        self.out.push_str(&rest[..end]);
        self.at += end;
    }

    fn before(&self) -> Option<u8> {
        self.at.checked_sub(1).map(|i| self.bytes[i])
    }

    /// Whether a value may begin here: not within a word.
    fn at_boundary(&self) -> bool {
        self.before().is_none_or(|b| !(b.is_ascii_alphanumeric() || b >= 0x80))
    }

    /// Index of the first byte from here that `stop` accepts, or the end of the text.
    fn end_of(&self, stop: impl Fn(u8) -> bool) -> usize {
        self.bytes[self.at..].iter().position(|&b| stop(b)).map_or(self.bytes.len(), |n| self.at + n)
    }

    /// `"…"` anywhere, `'…'` only around a word boundary, because of apostrophes and lifetimes.
    fn quoted(&mut self, quote: u8) -> Option<usize> {
        let kind = usize::from(quote == b'\'');
        if self.unclosed[kind] || (quote == b'\'' && !self.at_boundary()) {
            return None;
        }
        let mut i = self.at + 1;
        while i < self.bytes.len() {
            match self.bytes[i] {
                b'\\' => i += 1,
                b if b == quote => {
                    let next = self.bytes.get(i + 1).copied().unwrap_or(b' ');
                    if quote == b'"' || !(next.is_ascii_alphanumeric() || next >= 0x80) {
                        return Some(i + 1);
                    }
                }
                _ => {}
            }
            i += 1;
        }
        self.unclosed[kind] = true;
        None
    }

    /// Whether `name=` stands before and a value, not a comparison, begins here.
    fn after_key(&self) -> bool {
        let [.., name, b'='] = &self.bytes[..self.at] else { return false };
        let here = self.bytes[self.at];
        (name.is_ascii_alphanumeric() || matches!(name, b'_' | b'-' | b'.'))
            && !(here.is_ascii_whitespace() || matches!(here, b'=' | b'>' | b',' | b';' | b')' | b']' | b'}'))
    }

    /// `scheme://…`
    fn url(&self) -> Option<usize> {
        if !self.bytes[self.at].is_ascii_alphabetic() {
            return None;
        }
        // No scheme is longer; without the limit, `a.a.a.…` would take quadratic time.
        let rest = &self.bytes[self.at..];
        let scheme = rest
            .iter()
            .take(33)
            .position(|b| !(b.is_ascii_alphanumeric() || b"+.-".contains(b)))
            .unwrap_or(0);
        rest[scheme..].starts_with(b"://").then(|| self.end_of_place())
    }

    /// `/…`, `./…`, `../…`, `~/…`, `C:\…`, `C:/…`, `\\…`
    fn path(&self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        if matches!(self.before(), Some(b'/' | b'.' | b'_' | b'-' | b')' | b']' | b'>' | b'~' | b'\\' | b'}'))
        {
            return None;
        }
        let name =
            |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80 || b"._-".contains(b));
        let is_path = match rest {
            [b'/', ..] => name(rest.get(1)),
            [b'.' | b'~', b'/', ..] => name(rest.get(2)),
            [b'.', b'.', b'/', ..] => name(rest.get(3)),
            [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic() && name(rest.get(3)),
            [b'\\', b'\\', ..] => name(rest.get(2)),
            _ => false,
        };
        is_path.then(|| self.end_of_place())
    }

    /// End of a URL or path: whitespace, a quote, a bracket or a separator, without punctuation that ends a sentence.
    fn end_of_place(&self) -> usize {
        let mut end = self.end_of(|b| b.is_ascii_whitespace() || b"\"'`<>|()[]{},;".contains(&b));
        while end > self.at && b".:!?".contains(&self.bytes[end - 1]) {
            end -= 1;
        }
        end
    }

    fn uuid(&self) -> Option<usize> {
        let candidate = self.bytes.get(self.at..self.at + 36)?;
        let fits = candidate.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
        (fits && self.ends_word(self.at + 36)).then_some(self.at + 36)
    }

    fn ends_word(&self, at: usize) -> bool {
        self.bytes.get(at).is_none_or(|b| !(b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80))
    }

    /// An IPv6 address with at least one digit; `a::b` is a Rust path.
    fn ipv6(&self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().take(46).position(|b| !(b.is_ascii_hexdigit() || b":.".contains(b)));
        let run = &rest[..len.unwrap_or(rest.len().min(46))];
        let end = self.at + run.len();
        if run.iter().filter(|b| **b == b':').count() < 2 || !run.iter().any(u8::is_ascii_digit) {
            return None;
        }
        let valid = std::str::from_utf8(run).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        (valid && self.ends_word(end)).then_some(end)
    }

    /// A sign at a word's beginning, a digit, then letters, digits, and any of `. , _ : + - /` that a digit follows:
    /// integers, decimals, exponents, durations, sizes, dates, times, IPv4 addresses with ports, `0x…`.
    fn number(&self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let digits = match rest {
            [b'-' | b'+', b'0'..=b'9', ..]
                if self.before().is_none_or(|b| b.is_ascii_whitespace() || b"([{<=:,".contains(&b)) =>
            {
                1
            }
            [b'0'..=b'9', ..] => 0,
            _ => return None,
        };
        let mut i = self.at + digits;
        while i < self.bytes.len() {
            let next_is_digit = self.bytes.get(i + 1).is_some_and(u8::is_ascii_digit);
            match self.bytes[i] {
                b if b.is_ascii_alphanumeric() || b >= 0x80 => i += 1,
                b'.' | b',' | b'_' | b':' | b'+' | b'-' | b'/' if next_is_digit => i += 1,
                b'%' => return Some(i + 1),
                _ => break,
            }
        }
        Some(i)
    }

    /// A word of at least eight hexadecimal digits, one of them a decimal digit.
    fn hex(&self) -> Option<usize> {
        let end = self.end_of(|b| !b.is_ascii_hexdigit());
        let word = &self.bytes[self.at..end];
        (word.len() >= 8 && word.iter().any(u8::is_ascii_digit) && self.ends_word(end)).then_some(end)
    }
}

/// Whether a word begins with it. Digits at a word's beginning are numbers.
fn is_letter_char(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && !c.is_whitespace())
}

/// Whether it continues a word: `_` ends one, so that `step_2` is a word and a number.
fn is_word_char(c: char) -> bool {
    c.is_ascii_digit() || is_letter_char(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_is_masked() {
        for (text, masked) in [
            ("dropped 498 keys", "dropped <*> keys"),
            ("took 1.5ms, limit 2s", "took <*>, limit <*>"),
            ("balance -12_000.50 EUR", "balance <*> EUR"),
            ("at 2026-01-14T09:00:00.123456Z it stopped", "at <*> it stopped"),
            ("load 97.5% reached", "load <*> reached"),
            ("value 0xDEADBEEF seen", "value <*> seen"),
            ("factor 1e-9 used", "factor <*> used"),
            ("run 550e8400-e29b-41d4-a716-446655440000 lost", "run <*> lost"),
            ("run fafafafa-fafa-fafa-fafa-fafafafafafa lost", "run <*> lost"),
            ("commit a1b2c3d4e5f6 broke", "commit <*> broke"),
            ("cannot read /home/a/x.json: denied", "cannot read <*>: denied"),
            (r"cannot read C:\Users\a\x.json.", "cannot read <*>."),
            ("cannot read ../data/x.json", "cannot read <*>"),
            ("GET https://example.org/a?b=c#d failed", "GET <*> failed"),
            ("peer 10.0.0.1:8080 left", "peer <*> left"),
            ("peer fe80::1ff:fe23:4567:890a left", "peer <*> left"),
            ("peer [::1]:80 left", "peer [<*>]:<*> left"),
            ("unknown key \"a \\\"b\\\" c\" here", "unknown key <*> here"),
            ("unknown key 'tenant a' here", "unknown key <*> here"),
            ("tenant=acme, retries=3 stage=\"a b\"", "tenant=<*>, retries=<*> stage=<*>"),
            ("worker-3 and step_2 and ThreadId(17)", "worker-<*> and step_<*> and ThreadId(<*>)"),
            ("  a \t\n b\u{a0}c  ", "a b c"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn names_stay() {
        for text in [
            "p99 above the target",
            "assertion `left == right` failed",
            "called `Option::unwrap()` on a `None` value",
            "the stage doesn't end, it's stuck",
            "fn(&'a str, &'b str) is refused",
            "src/lib.rs and read/write and I/O",
            "std::fs::read and a::b",
            "x >= y and x <= y and x => y and x = y",
            "deadbeef and defaced and a1b2c3d",
            "the café's cups' sizes",
            "größe of é ΑΒΓ",
            "utf8, sha256, u64",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn lists_of_different_length_mask_alike() {
        assert_eq!(mask("lost [1, 2, 3] of x"), mask("lost [4] of x"));
        assert_eq!(mask("lost \"a\", \"b\"; \"c\""), "lost <*>");
        assert_eq!(mask("1 2"), "<*>");
        assert_eq!(mask("1 of 2"), "<*> of <*>");
    }

    #[test]
    fn any_text_comes_out_without_numbers_and_without_loose_whitespace() {
        let mut seed = 1u64;
        let alphabet: Vec<char> = "ab1 29.'\"=,/\\:-_<*>é`%+0x~()\n".chars().collect();
        for _ in 0..20_000 {
            let text: String = (0..12)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    alphabet[(seed >> 33) as usize % alphabet.len()]
                })
                .collect();
            let masked = mask(&text);
            assert_eq!(masked, masked.split_whitespace().collect::<Vec<_>>().join(" "), "{text:?}");
            let mut before = ' ';
            for c in masked.chars() {
                assert!(!c.is_ascii_digit() || is_word_char(before), "{text:?} became {masked:?}");
                before = c;
            }
        }
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        for unit in [
            "'a ",
            "\"\\",
            "a=",
            "a://",
            "/a",
            "::",
            "0x",
            "1,",
            "f",
            "aaaaaaaa-",
            "\\\\a",
            "é",
            "a+",
            "a.",
            "_a-",
            "/a.",
            "='",
        ] {
            let text = unit.repeat(100_000 / unit.len());
            let start = std::time::Instant::now();
            assert!(mask(&text).len() <= text.len() + MASK.len());
            // Milliseconds are needed; a quadratic rule takes about a minute.
            assert!(start.elapsed().as_secs() < 5, "{unit:?} takes more than linear time");
        }
    }
}
