//! Markdown whose structure the author of a text cannot break: everything is plain text unless it says otherwise.

use std::fmt::Write as _;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Strong(String),
    Link { text: String, path: String },
}

/// A line of text, possibly with strong parts and links in it. Strings become plain text: nothing in them is markup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inline(Vec<Piece>);

impl From<String> for Inline {
    fn from(text: String) -> Self {
        Inline(vec![Piece::Text(text)])
    }
}

impl From<&str> for Inline {
    fn from(text: &str) -> Self {
        Inline::from(text.to_owned())
    }
}

impl Inline {
    /// Adds plain text.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    /// Adds strong text.
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Strong(text.into()));
        self
    }

    /// Adds a link to a file, by its path relative to the document.
    pub fn link(mut self, text: impl Into<String>, path: impl Into<String>) -> Self {
        self.0.push(Piece::Link { text: text.into(), path: path.into() });
        self
    }

    fn render(&self) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => escape(&mut out, text),
                // Empty emphasis would print its stars.
                Piece::Strong(text) if text.trim().is_empty() => {}
                Piece::Strong(text) => {
                    out.push_str("**");
                    escape(&mut out, text.trim());
                    out.push_str("**");
                }
                Piece::Link { text, path } => {
                    out.push('[');
                    escape(&mut out, text);
                    out.push_str("](");
                    href(&mut out, path);
                    out.push(')');
                }
            }
        }
        let trimmed = out.trim();
        if trimmed.len() == out.len() { out } else { trimmed.to_owned() }
    }
}

/// A document that is written from top to bottom.
#[derive(Debug, Default)]
pub struct Doc(String);

impl Doc {
    fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    /// A heading.
    pub fn heading(&mut self, level: usize, text: impl Into<Inline>) {
        self.gap();
        let text = text.into().render();
        let _ = writeln!(
            self.0,
            "{} {}\n",
            "#".repeat(level),
            if text.is_empty() { "(untitled)" } else { &text }
        );
    }

    /// A paragraph.
    pub fn line(&mut self, text: impl Into<Inline>) {
        let text = text.into().render();
        if !text.is_empty() {
            self.gap();
            let _ = writeln!(self.0, "{text}");
        }
    }

    /// Text that somebody wrote: a paragraph if it is one line, else verbatim.
    pub fn prose(&mut self, text: &str) {
        let text = text.trim_end();
        if text.contains('\n') { self.code("text", text) } else { self.line(text) }
    }

    /// List items.
    pub fn items<I: Into<Inline>>(&mut self, items: impl IntoIterator<Item = I>) {
        self.list(items, |_| "- ".to_owned());
    }

    /// Numbered list items.
    pub fn steps<I: Into<Inline>>(&mut self, items: impl IntoIterator<Item = I>) {
        self.list(items, |n| format!("{}. ", n + 1));
    }

    fn list<I: Into<Inline>>(&mut self, items: impl IntoIterator<Item = I>, mark: impl Fn(usize) -> String) {
        for (n, item) in items.into_iter().enumerate() {
            if n == 0 {
                self.gap();
            }
            let text = item.into().render();
            let _ = writeln!(self.0, "{}{}", mark(n), if text.is_empty() { "(empty)" } else { &text });
        }
    }

    /// A table. Every row has as many cells as there are headings.
    pub fn table<const N: usize>(
        &mut self,
        headings: [&str; N],
        rows: impl IntoIterator<Item = [Inline; N]>,
    ) {
        self.gap();
        let _ = writeln!(self.0, "| {} |", headings.map(|text| Inline::from(text).render()).join(" | "));
        let _ = writeln!(self.0, "|{}", "---|".repeat(N));
        for row in rows {
            let _ = writeln!(self.0, "| {} |", row.map(|cell| cell.render()).join(" | "));
        }
    }

    /// A block of code or verbatim text. Its fence is longer than any fence within.
    pub fn code(&mut self, language: &str, text: &str) {
        self.gap();
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = writeln!(self.0, "{fence}{language}");
        for line in text.trim_end_matches('\n').split('\n') {
            visible(&mut self.0, line.strip_suffix('\r').unwrap_or(line));
            self.0.push('\n');
        }
        let _ = writeln!(self.0, "{fence}");
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }
}

/// A character that is not shown, or that changes how its neighbours are shown.
pub fn is_invisible(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn visible(out: &mut String, text: &str) {
    for c in text.chars() {
        if is_invisible(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// Plain text on one line: white space is one space, markup is escaped.
fn escape(out: &mut String, text: &str) {
    let mut previous = out.chars().next_back();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            while chars.peek().is_some_and(|next| next.is_whitespace()) {
                chars.next();
            }
            out.push(' ');
            previous = Some(' ');
            continue;
        }
        if c == '_' {
            let mut run = 1;
            while chars.next_if_eq(&'_').is_some() {
                run += 1;
            }
            // Underscores within a word are no emphasis, and names are full of them.
            let within = previous.is_some_and(char::is_alphanumeric)
                && chars.peek().is_some_and(|next| next.is_alphanumeric());
            out.push_str(&if within { "_" } else { "\\_" }.repeat(run));
            previous = Some('_');
            continue;
        }
        let at_start = previous.is_none();
        let escaped = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '$' | '^' => true,
            '-' | '+' | '=' | ':' => at_start,
            // A number with a dot or a parenthesis begins a list only if white space or nothing follows.
            '.' | ')' => {
                chars.peek().is_none_or(|next| next.is_whitespace())
                    && !out.is_empty()
                    && out.bytes().all(|seen| seen.is_ascii_digit())
            }
            // Some readers take braces at the end of a heading for its attributes.
            '}' => chars.peek().is_none(),
            _ => false,
        };
        if is_invisible(c) {
            let _ = write!(out, "\\\\u{:04x}", u32::from(c));
        } else {
            if escaped {
                out.push('\\');
            }
            out.push(c);
        }
        previous = Some(c);
    }
}

fn href(out: &mut String, path: &str) {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"._/-~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// `1 test`, `2 tests`.
pub fn count(n: impl TryInto<u64>, singular: &str, plural: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{n} {}", if n == 1 { singular } else { plural })
}
