//! How the file of a ledger is laid out, so that an added entry looks like the others.

use std::ops::Range;

use crate::finding::document::escaped;

/// How a file is written.
pub struct Style {
    /// Line end and indentation before an entry.
    pub before_entry: String,
    /// Line end and indentation before the closing bracket of the list.
    pub after_list: String,
    /// Line end and indentation before a key of the whole.
    pub before_key: String,
    /// What one more step to the right is.
    step: String,
    line_end: &'static str,
    ascii: bool,
}

impl Style {
    /// As the file has it, before its first entry and around its list.
    pub fn of(bytes: &[u8], list: &Range<usize>, first: Option<&Range<usize>>) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let ascii = bytes.is_ascii() && text.contains("\\u");
        let space = |range: Range<usize>| -> String {
            let space = bytes.get(range).unwrap_or_default();
            String::from_utf8_lossy(space).chars().filter(|c| c.is_ascii_whitespace()).collect()
        };
        // Where the key of the list stands: the line it begins on.
        let line = bytes[..list.start].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let indent: String = bytes[line..list.start]
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .map(|b| char::from(*b))
            .collect();
        let one_line = !bytes.contains(&b'\n');
        let (before_entry, after_list) = match first {
            Some(first) => (space(list.start + 1..first.start), indent.clone()),
            None if one_line => (String::new(), String::new()),
            None => (format!("{line_end}{indent}{indent}"), indent.clone()),
        };
        let before_entry =
            if first.is_some() && before_entry.is_empty() { " ".to_owned() } else { before_entry };
        let step = if indent.is_empty() { "  ".to_owned() } else { indent.clone() };
        Style {
            after_list: if one_line { String::new() } else { format!("{line_end}{after_list}") },
            before_key: if one_line { " ".to_owned() } else { format!("{line_end}{indent}") },
            before_entry,
            step,
            line_end,
            ascii,
        }
    }

    /// A pretty-printed entry in the manner of the file. Text that was laid out for another place is moved by its own
    /// indentation.
    pub fn apply(&self, entry: &str) -> String {
        let own = self.before_entry.trim_start_matches(['\r', '\n']);
        let multi = self.before_entry.contains('\n');
        let lines: Vec<&str> = entry.lines().collect();
        // The closing brace tells how far the text was indented where it came from.
        let width = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let base = if lines.len() > 1 { lines.last().map_or(0, |last| width(last)) } else { 0 };
        let inner = lines.get(1).map_or(2, |line| width(line).saturating_sub(base)).max(1);
        let mut laid = String::new();
        for (number, line) in lines.iter().enumerate() {
            if number == 0 {
                laid.push_str(line.trim_end());
                continue;
            }
            if !multi {
                laid.push(' ');
                laid.push_str(line.trim());
                continue;
            }
            let depth = width(line).saturating_sub(base) / inner;
            laid.push_str(self.line_end);
            laid.push_str(own);
            (0..depth).for_each(|_| laid.push_str(&self.step));
            laid.push_str(line.trim());
        }
        if self.ascii { escaped(&laid) } else { laid }
    }
}
