//! A strip of lines: where in a file something stands, one row for each kind of it.

use super::super::markup::Markup;
use super::{at, cut, figure, label, rectangle};

/// A row of the strip.
#[derive(Debug, Clone)]
pub struct Row {
    /// What stands there.
    pub name: String,
    /// Class that gives its colour.
    pub class: String,
    /// The first and the last line on which it stands.
    pub lines: (f64, f64),
    /// How often, relative to the most frequent row, from 0 to 1: the darker, the more.
    pub share: f64,
    /// A text behind it.
    pub behind: String,
}

/// Draws rows over the lines of a file, the first of which is 1.
pub fn strip(m: &mut Markup, title: &str, words: &str, last: f64, rows: &[Row]) {
    const ROW: f64 = 18.0;
    let (width, name_width, right) = (960.0, 420.0, 90.0);
    let height = rows.len() as f64 * ROW + 22.0;
    let x = |line: f64| name_width + (line / last.max(1.0)).clamp(0.0, 1.0) * (width - name_width - right);
    figure(m, title, words, &[], (width, height), |m| {
        for (n, row) in rows.iter().enumerate() {
            let y = n as f64 * ROW;
            label(m, "name", "start", (0.0, y + 13.0), &cut(&row.name, 58));
            rectangle(m, "track", (name_width, y + 2.0), (width - name_width - right, ROW - 4.0), "");
            let shade = (row.share.clamp(0.0, 1.0) * 3.0).ceil() + 1.0;
            let (from, to) = (x(row.lines.0 - 1.0), x(row.lines.1));
            let tip = format!("{}: {}, lines {} to {}", row.name, row.behind, row.lines.0, row.lines.1);
            rectangle(
                m,
                &format!("{} h{shade}", row.class),
                (from, y + 2.0),
                ((to - from).max(2.0), ROW - 4.0),
                &tip,
            );
            label(m, "behind", "start", (width - right + 6.0, y + 13.0), &row.behind);
        }
        let y = height - 5.0;
        label(m, "tick", "start", (name_width, y), "line 1");
        label(m, "tick", "end", (width - right, y), &at(last));
    });
}
