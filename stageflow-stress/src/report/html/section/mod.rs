//! The parts of a run's page, each from the files that it names.

mod compared;
pub mod feedback;
pub mod files;
pub mod findings;
pub mod goldens;
mod instruments;
mod load;
pub mod logs;
pub mod measurements;
pub mod overview;
pub mod setting;
pub mod spans;
pub mod tests;

use super::folder::Folder;
use super::markup::Markup;

/// Says from which files a part was made.
fn source(m: &mut Markup, folder: &Folder, paths: &[&str]) {
    m.within("p", &[("class", "source")], |m| {
        m.text("From ");
        for (n, path) in paths.iter().enumerate() {
            if n > 0 {
                m.text(", ");
            }
            m.link(folder.existing(path), path);
        }
        m.text(".");
    });
}

/// A word in a coloured field. The colour says nothing that the word does not.
pub fn badge(m: &mut Markup, kind: &str, word: &str) {
    let class: String = word
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(32)
        .collect();
    m.element("span", &[("class", &format!("badge {kind}-{class}"))], word);
}

/// Names and values, where there are values.
fn facts<'a>(m: &mut Markup, rows: impl IntoIterator<Item = (&'a str, String)>) {
    let rows: Vec<_> = rows.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if rows.is_empty() {
        return;
    }
    m.within("dl", &[("class", "facts")], |m| {
        for (name, value) in rows {
            m.within("div", &[], |m| {
                m.element("dt", &[], name);
                m.element("dd", &[], &value);
            });
        }
    });
}
