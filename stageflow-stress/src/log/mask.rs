//! Masks what differs between two occurrences of one message: numbers, identifiers, quoted values, paths.

/// What stands for a masked part.
const MASK: &str = "<*>";
/// How much of a line takes part in the comparison.
const CONSIDERED: usize = 400;
/// How far the end of a quotation is looked for.
const QUOTATION: usize = 200;

/// The line with its variable parts masked, white space collapsed.
pub fn mask(line: &str) -> String {
    let line = &line[..floor(line, CONSIDERED)];
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim();
    while let Some(c) = rest.chars().next() {
        let taken = if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            c.len_utf8()
        } else if let Some(length) = quotation(rest, out.chars().next_back()) {
            push_mask(&mut out);
            length
        } else if let Some(length) = path(rest, &out) {
            push_mask(&mut out);
            length
        } else if c.is_alphanumeric() || c == '_' {
            let word = &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())];
            push_word(&mut out, word);
            word.len()
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

/// Adjacent masks, also across the marks within times, versions, addresses and identifiers, are one.
fn push_mask(out: &mut String) {
    let before = out.trim_end_matches(['.', ':', '-', '+', '/']);
    // A sign or a slash is part of the value only if a value precedes it.
    if before.ends_with(MASK) && out.len() - before.len() <= 2 {
        out.truncate(before.len());
    } else {
        out.push_str(MASK);
    }
}

fn push_word(out: &mut String, word: &str) {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let is_hex = word.len() >= 8 && has_digit && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    // The groups of letters within an identifier such as `550e8400-e29b-41d4-a716-446655440000` follow a mask.
    let continues_hex =
        out.ends_with("<*>-") && word.len() == 4 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex || continues_hex || word.starts_with(|c: char| c.is_ascii_digit()) {
        push_mask(out);
    } else if has_digit {
        let mut rest = word;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            out.push_str(&rest[..at]);
            push_mask(out);
            rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit());
        }
        out.push_str(rest);
    } else {
        out.push_str(word);
    }
}

/// Length of the quotation that `text` begins with.
fn quotation(text: &str, previous: Option<char>) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    // The apostrophe of "don't" opens nothing.
    if quote == '\'' && previous.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let inner = &text[1..floor(text, QUOTATION).max(1)];
    let end = inner.find(quote)?;
    let after = inner[end + 1..].chars().next();
    (!(quote == '\'' && after.is_some_and(char::is_alphanumeric))).then_some(end + 2)
}

/// Length of the path or address that `text` begins with.
fn path(text: &str, out: &str) -> Option<usize> {
    if out.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let end = text
        .find(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '<' | '>' | '|' | '=')
        })
        .unwrap_or(text.len());
    let token = text[..end].trim_end_matches(['.', ':', '!', '?']);
    let slashes = token.matches(['/', '\\']).count();
    let is_path = token.contains("://")
        || (token.len() > 1 && token.starts_with('/') && token[1..].starts_with(char::is_alphanumeric))
        || slashes >= 2;
    is_path.then_some(token.len())
}

/// The greatest character boundary of `text` that is at most `at`.
fn floor(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn what_varies_is_masked_and_what_names_stays() {
        for (line, masked) in [
            ("stage merge failed", "stage merge failed"),
            ("stage 12 failed after 3.5s", "stage <*> failed after <*>"),
            ("worker7 gave up", "worker<*> gave up"),
            ("order 550e8400-e29b-41d4-a716-446655440000 lost", "order <*> lost"),
            ("order deadbeef-abcd-41d4-a716-446655440000 lost", "order deadbeef-abcd-<*> lost"),
            ("object 0xdeadbeef12 at deadbeef01", "object <*> at <*>"),
            ("key \"a b\" is 'x' not `y`", "key <*> is <*> not <*>"),
            ("it doesn't work, it can't", "it doesn't work, it can't"),
            ("cannot open /tmp/a b.txt: denied", "cannot open <*> b.txt: denied"),
            ("GET http://host:80/a?b=1 gave 500", "GET <*>=<*> gave <*>"),
            ("at 2026-01-14T09:00:00.123Z from 10.0.0.1:80", "at <*>T<*>Z from <*>"),
            ("  a\t b  ", "a b"),
            ("", ""),
        ] {
            // The date's `14T09` begins with a digit and is one word.
            let masked = masked.replace("<*>T<*>Z", "<*>");
            assert_eq!(mask(line), masked, "{line:?}");
        }
    }

    #[test]
    fn hostile_lines_stay_cheap_and_whole() {
        for line in ["'".repeat(100_000), "é".repeat(100_000), "\"é".repeat(50_000), "/".repeat(100_000)] {
            assert!(mask(&line).len() < 2_000);
        }
    }
}
