//! Numbers that are somebody's: of cards and of phones.

use super::shapes::{Span, is_word, run};

/// Digits with at most one space or hyphen between two of them.
fn grouped(bytes: &[u8], at: usize, digits: &mut Vec<u8>) -> usize {
    let mut end = at;
    while end < bytes.len() {
        if bytes[end].is_ascii_digit() {
            digits.push(bytes[end] - b'0');
        } else if !(matches!(bytes[end], b' ' | b'-') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)) {
            break;
        }
        end += 1;
    }
    end
}

pub(super) fn card(bytes: &[u8], at: usize) -> Option<Span<'static>> {
    let mut digits = Vec::new();
    let end = grouped(bytes, at, &mut digits);
    let followed = bytes.get(end).is_some_and(|byte| is_word(*byte))
        || (bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit));
    // Seeds and other 64-bit numbers have up to twenty digits, and some of them pass for a card of nineteen. A rule that takes a
    // seed away now and then would give one finding two fingerprints. People write long card numbers in groups.
    let bare = end - at == digits.len();
    let is_number = bare && digits.len() > 16;
    (!followed && !is_number && is_card(&digits)).then_some(Span { start: at, end, kind: "card" })
}

/// Whether digits are those of a card: issued by a network, of its length, with the right check digit.
fn is_card(digits: &[u8]) -> bool {
    let length = digits.len();
    if !(13..=19).contains(&length) {
        return false;
    }
    let first = |n: usize| digits[..n].iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let issued = match length {
        13 => first(1) == 4,
        14 => matches!(first(3), 300..=305 | 309) || matches!(first(2), 36 | 38 | 39),
        15 => matches!(first(2), 34 | 37),
        16 => {
            first(1) == 4
                || matches!(first(2), 51..=55 | 62 | 65)
                || matches!(first(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(first(3), 644..=649)
        }
        19 => first(1) == 4 || matches!(first(2), 62 | 65),
        _ => matches!(first(2), 62 | 65),
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let digit = u32::from(*digit);
            if n % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    issued && sum.is_multiple_of(10)
}

/// A number with its country (`+49 30 1234567`), or in the form of North America (`(212) 555-0188`, `212-555-0188`).
pub(super) fn phone(bytes: &[u8], at: usize) -> Option<Span<'static>> {
    let (mut end, mut digits, mut grouped) = (at, 0, false);
    if bytes[at] == b'+' {
        end += 1;
        if !bytes.get(end).is_some_and(|byte| (b'1'..=b'9').contains(byte)) {
            return None;
        }
        while end < bytes.len() {
            let byte = bytes[end];
            if byte.is_ascii_digit() {
                digits += 1;
            } else {
                let next = bytes.get(end + 1).copied().unwrap_or(0);
                let between = match byte {
                    b' ' | b'-' | b'.' => next.is_ascii_digit() || next == b'(',
                    b'(' => next.is_ascii_digit(),
                    b')' => next.is_ascii_digit() || matches!(next, b' ' | b'-'),
                    _ => false,
                };
                if !between {
                    break;
                }
                grouped = true;
            }
            end += 1;
        }
        let enough = if grouped { (8..=15).contains(&digits) } else { (10..=15).contains(&digits) };
        let followed = bytes.get(end).is_some_and(|byte| is_word(*byte));
        return (enough && !followed).then_some(Span { start: at, end, kind: "phone" });
    }
    let group = |from: usize, length: usize| {
        let end = from + length;
        bytes.get(from..end).is_some_and(|group| group.iter().all(u8::is_ascii_digit)).then_some(end)
    };
    let separator = |from: usize| matches!(bytes.get(from), Some(b'-' | b'.')).then_some(from + 1);
    let middle = if bytes[at] == b'(' {
        let close = group(at + 1, 3).filter(|close| bytes.get(*close) == Some(&b')'))?;
        run(bytes, close + 1, |byte| byte == b' ')
    } else {
        separator(group(at, 3)?)?
    };
    let end = group(separator(group(middle, 3)?)?, 4)?;
    let followed = bytes.get(end).is_some_and(|byte| is_word(*byte))
        || (matches!(bytes.get(end), Some(b'-' | b'.'))
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit));
    (!followed).then_some(Span { start: at, end, kind: "phone" })
}
