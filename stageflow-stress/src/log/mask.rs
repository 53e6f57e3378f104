//! Masks what varies in a message, in one pass over its bytes: the form of a line.
//!
//! Unlike the mask of fingerprints, which keeps what names a defect, this one is made for grouping millions of lines: it
//! works token by token, writes into a buffer that is used again, and knows nothing of a message's meaning.

/// What stands for a masked value.
pub(crate) const MASK: &str = "<*>";

/// How many bytes of a message take part in its form. What follows is a value, whatever it says.
const CONSIDERED: usize = 2048;

/// Classes of bytes, joined for each token: they tell at once that nothing in it can vary, as in nearly all tokens.
const SPACE: u16 = 1;
const LETTER: u16 = 2;
const DIGIT: u16 = 4;
const EQUALS: u16 = 8;
const SLASH: u16 = 16;
const QUOTE: u16 = 32;
/// `-` and `_`, which join words.
const JOINT: u16 = 64;
const OTHER: u16 = 128;
/// Without one of these, a token is a word.
const VARIES: u16 = DIGIT | EQUALS | SLASH;

static CLASS: [u16; 256] = {
    let mut class = [OTHER; 256];
    let mut at = 0;
    while at < 256 {
        class[at] = match at as u8 {
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'=' => EQUALS,
            b'/' => SLASH,
            b'"' => QUOTE,
            b'-' | b'_' => JOINT,
            _ => OTHER,
        };
        at += 1;
    }
    class
};

fn class(byte: u8) -> u16 {
    CLASS[usize::from(byte)]
}

/// The form of a message: its tokens with values masked, separated by one space.
pub(crate) fn form(message: &str, out: &mut Vec<u8>) {
    out.clear();
    let bytes = message.as_bytes();
    let cut = bytes.len() > CONSIDERED;
    let mut end = bytes.len().min(CONSIDERED);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = &bytes[..end];
    let mut at = 0;
    while at < bytes.len() {
        while at < bytes.len() && class(bytes[at]) == SPACE {
            at += 1;
        }
        let start = at;
        let mut of = 0;
        while at < bytes.len() && class(bytes[at]) != SPACE {
            of |= class(bytes[at]);
            at += 1;
        }
        if start == at {
            break;
        }
        let before = out.len();
        if before > 0 {
            out.push(b' ');
        }
        if of & VARIES == 0 {
            out.extend_from_slice(&bytes[start..at]);
            continue;
        }
        // `key="two words"`: a quoted value goes on to its closing quote.
        if of & (EQUALS | QUOTE) == EQUALS | QUOTE
            && let Some(end) = quoted_value(bytes, start, at)
        {
            at = end;
            of |= OTHER;
        }
        let own = out.len();
        if of == DIGIT {
            out.extend_from_slice(MASK.as_bytes());
        } else if !pair(&bytes[start..at], of, out) {
            token(&bytes[start..at], out);
        }
        // A list of like values says no more than one of them, however long it is.
        let length = out.len() - own;
        if before >= length
            && out[own..].ends_with(b"<*>")
            && out[before - length..before] == out[own..]
            && (before == length || out[before - length - 1] == b' ')
        {
            out.truncate(before);
        }
    }
    if cut {
        out.extend_from_slice(b" <*>");
    }
}

/// `key=value` of letters, digits and joints only: by far the most frequent token with a value.
fn pair(token: &[u8], of: u16, out: &mut Vec<u8>) -> bool {
    if of & !(LETTER | DIGIT | EQUALS | JOINT) != 0 || of & EQUALS == 0 || class(token[0]) != LETTER {
        return false;
    }
    let Some(equals) = token.iter().position(|b| *b == b'=') else { return false };
    out.extend_from_slice(&token[..=equals]);
    if equals + 1 < token.len() {
        out.extend_from_slice(MASK.as_bytes());
    }
    true
}

/// Where the token ends whose value in double quotes holds spaces.
fn quoted_value(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    const LONGEST: usize = 200;
    let quote = bytes[start..end].windows(2).position(|w| w == b"=\"")? + start + 1;
    if bytes[quote + 1..end].contains(&b'"') {
        return None;
    }
    let limit = bytes.len().min(end + LONGEST);
    let close = bytes[end..limit].iter().position(|b| *b == b'"')? + end;
    Some(bytes[close..].iter().position(|b| is_space(*b)).map_or(bytes.len(), |space| close + space))
}

fn is_space(byte: u8) -> bool {
    class(byte) == SPACE
}

/// Splits a token at the punctuation that joins values, and masks each part.
fn token(token: &[u8], out: &mut Vec<u8>) {
    // What the punctuation splits may be a word again.
    if token.iter().all(|b| class(*b) & VARIES == 0) {
        return out.extend_from_slice(token);
    }
    let core_start = token.iter().position(|b| !is_opening(*b)).unwrap_or(token.len());
    let core_end =
        token.iter().rposition(|b| !is_closing(*b)).map_or(core_start, |end| (end + 1).max(core_start));
    // A bracket that the token itself opens belongs to its value.
    let inner = &token[core_start..core_end];
    let mut open = inner.iter().filter(|b| matches!(b, b'{' | b'(' | b'[')).count();
    open = open.saturating_sub(inner.iter().filter(|b| matches!(b, b'}' | b')' | b']')).count());
    let own = token[core_end..].iter().take_while(|b| matches!(b, b'}' | b')' | b']')).count();
    let core_end = core_end + own.min(open);
    out.extend_from_slice(&token[..core_start]);
    core(&token[core_start..core_end], out);
    out.extend_from_slice(&token[core_end..]);
}

fn is_opening(b: u8) -> bool {
    matches!(b, b'(' | b'[' | b'{' | b'<' | b'"' | b'\'' | b'`' | b'@' | b'#')
}

fn is_closing(b: u8) -> bool {
    matches!(
        b,
        b')' | b']' | b'}' | b'>' | b'"' | b'\'' | b'`' | b',' | b';' | b':' | b'.' | b'!' | b'?' | b'%'
    )
}

fn core(core: &[u8], out: &mut Vec<u8>) {
    if core.is_empty() {
        return;
    }
    if is_path(core) {
        return mask(out);
    }
    // `key=value`: the value varies, whatever it is. Several may be joined by commas.
    if let Some(at) = core.iter().position(|b| *b == b'=')
        && at > 0
        && is_name(&core[..at])
    {
        out.extend_from_slice(&core[..at]);
        out.push(b'=');
        let rest = &core[at + 1..];
        if rest.is_empty() {
            return;
        }
        match rest.iter().position(|b| matches!(b, b',' | b';' | b'&')) {
            Some(end) if rest[end + 1..].contains(&b'=') => {
                mask(out);
                out.push(rest[end]);
                return self::token(&rest[end + 1..], out);
            }
            _ => return mask(out),
        }
    }
    if is_hex(core) {
        return mask(out);
    }
    values(core, out);
}

fn mask(out: &mut Vec<u8>) {
    // Masks side by side, or joined as a list, say no more than one.
    if out.ends_with(b"<*>,") || out.ends_with(b"<*>;") {
        out.pop();
    }
    if !out.ends_with(b"<*>") {
        out.extend_from_slice(MASK.as_bytes());
    }
}

fn is_name(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && text[0].is_ascii_alphabetic()
}

fn is_path(text: &[u8]) -> bool {
    if !text.contains(&b'/') {
        return false;
    }
    (text[0] == b'/' && text.len() > 1)
        || text.iter().filter(|b| **b == b'/').count() >= 2
        || text.windows(3).any(|w| w == b"://")
}

fn is_hex(text: &[u8]) -> bool {
    text.len() >= 8
        && text.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
        && text.iter().any(u8::is_ascii_digit)
}

fn is_hex_run(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit) && text.iter().any(u8::is_ascii_digit)
}

/// Masks every run that begins with a digit; letters before it stay.
fn values(text: &[u8], out: &mut Vec<u8>) {
    if !text.iter().any(u8::is_ascii_digit) {
        return out.extend_from_slice(text);
    }
    let mut at = 0;
    while at < text.len() {
        let begins = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        let hex = begins && {
            let run = text[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            run >= 6 && is_hex_run(&text[at..at + run])
        };
        if hex
            || text[at].is_ascii_digit()
            || (text[at] == b'-' && text.get(at + 1).is_some_and(u8::is_ascii_digit))
        {
            while at < text.len()
                && (text[at].is_ascii_alphanumeric() || matches!(text[at], b'.' | b':' | b'_' | b'-' | b'+'))
            {
                at += 1;
            }
            // The punctuation that ends a sentence or a clause is no part of the value.
            mask(out);
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
}
