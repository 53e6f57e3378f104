//! HTML that the author of a text cannot break: names of elements and attributes are constants, everything else is
//! escaped, and elements close where they were opened.

use std::fmt::Write as _;

use crate::markdown::is_invisible;

/// Attributes of an element: name and value.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A piece of HTML that is written from top to bottom.
#[derive(Debug, Default)]
pub struct Markup(String);

impl Markup {
    /// Markup that stands in the source of this library. A text of a run is never `'static`.
    pub fn constant(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// An element with what `content` writes into it.
    pub fn within(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        content: impl FnOnce(&mut Self),
    ) {
        self.tag(name, attributes);
        content(self);
        let _ = write!(self.0, "</{name}>");
    }

    /// An element that holds a text.
    pub fn element(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.within(name, attributes, |m| m.text(text));
    }

    /// A start tag alone: an element without content, or one whose end tag HTML leaves out.
    pub fn tag(&mut self, name: &'static str, attributes: Attributes<'_>) {
        let _ = write!(self.0, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.0, " {name}=\"");
            escape(&mut self.0, value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        escape(&mut self.0, text);
    }

    /// A link to a file by its path relative to the page, or its text alone where there is nothing to link to.
    pub fn link(&mut self, path: Option<&str>, text: &str) {
        match path {
            Some(path) => self.element("a", &[("href", &href(path))], text),
            None => self.text(text),
        }
    }

    /// A heading with an anchor.
    pub fn heading(&mut self, name: &'static str, id: &str, text: &str) {
        self.element(name, &[("id", id)], text);
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.element("p", &[], text);
    }

    /// A paragraph that says that there is nothing, and why.
    pub fn absent(&mut self, text: &str) {
        self.element("p", &[("class", "absent")], text);
    }

    /// Verbatim text.
    pub fn pre(&mut self, text: &str) {
        // A first line break would be dropped.
        self.within("pre", &[("tabindex", "0")], |m| {
            if text.starts_with('\n') {
                m.0.push('\n');
            }
            m.text(text.trim_end_matches('\n'));
        });
    }

    /// A list of texts.
    pub fn items<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) {
        self.within("ul", &[], |m| {
            for item in items {
                m.element("li", &[], item.as_ref());
            }
        });
    }

    /// A table in a box that scrolls sideways by itself: the caption, the headings, and rows of cells that `cells` writes,
    /// one `td` each.
    pub fn table<T>(
        &mut self,
        caption: &str,
        headings: &[&str],
        rows: impl IntoIterator<Item = T>,
        mut cells: impl FnMut(&mut Self, T),
    ) {
        self.within(
            "div",
            &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", caption)],
            |m| {
                m.within("table", &[], |m| {
                    m.element("caption", &[("class", "unseen")], caption);
                    m.within("thead", &[], |m| {
                        m.within("tr", &[], |m| {
                            for heading in headings {
                                m.element("th", &[("scope", "col")], heading);
                            }
                        });
                    });
                    m.within("tbody", &[], |m| {
                        for row in rows {
                            m.within("tr", &[], |m| cells(m, row));
                        }
                    });
                });
            },
        );
    }

    /// A cell with a text.
    pub fn cell(&mut self, text: &str) {
        self.element("td", &[], text);
    }

    /// A cell with a number, by which a table can be sorted. Absent: `otherwise` stands there, and sorts last.
    pub fn number(&mut self, value: Option<f64>, shown: &str) {
        match value {
            Some(value) => self.element("td", &[("class", "n"), ("data-v", &value.to_string())], shown),
            None => self.element("td", &[("class", "n absent")], shown),
        }
    }

    /// Data for programs, in an element that no browser runs.
    pub fn data(&mut self, id: &str, value: &serde_json::Value) {
        self.tag("script", &[("type", "application/json"), ("id", id)]);
        for c in value.to_string().chars() {
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escape_json(&mut self.0, c),
                c if is_noncharacter(c) => escape_json(&mut self.0, c),
                c => self.0.push(c),
            }
        }
        self.0.push_str("</script>\n");
    }

    /// The markup.
    pub fn finish(self) -> String {
        self.0
    }
}

/// The text as HTML. Characters that are not shown, or that change how others are shown, are spelt out.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if is_invisible(c) || is_noncharacter(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// A character as JSON spells it where it must not stand.
fn escape_json(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// A code point that parsers of HTML complain about.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// The address of a file below the page. What is no plain character is spelt out, so no text becomes a scheme or a host.
pub fn href(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"._/-~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        let mut m = Markup::default();
        m.element("p", &[("title", "\"><script>'")], "<b>&amp;\u{0}\u{202e}\u{fffe}\n");
        assert_eq!(
            m.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;&#39;\">&lt;b&gt;&amp;amp;\\u0000\\u202e\\ufffe\n</p>"
        );
    }

    #[test]
    fn addresses_stay_below_the_page() {
        assert_eq!(href("results/logs/a b.log"), "results/logs/a%20b.log");
        assert_eq!(href("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(href("x\"?#é"), "x%22%3F%23%C3%A9");
    }

    #[test]
    fn data_cannot_end_its_element_and_is_read_back() {
        let value = serde_json::json!({ "a": "</script><!--<script>&\u{2028}\u{1ffff}" });
        let mut m = Markup::default();
        m.data("d", &value);
        let html = m.finish();
        assert_eq!(html.matches('<').count(), 2, "{html}");
        let json = html.split('>').nth(1).unwrap().split('<').next().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap(), value);
    }
}
