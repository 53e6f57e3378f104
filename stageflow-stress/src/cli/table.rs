//! Tables for people.

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Width};

use super::answer::printable;

/// Which color a cell has on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// None.
    Plain,
    /// Bad.
    Red,
    /// Worth a look.
    Yellow,
    /// Good.
    Green,
    /// Beside the point.
    Dim,
}

/// Rows under a header. Texts are made printable and are put on one line each.
pub struct Table {
    inner: comfy_table::Table,
    rows: usize,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(comfy_table::presets::NOTHING);
        // The stream decides about color, so the cells always carry it.
        inner.enforce_styling();
        inner.set_header(columns.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        Table { inner, rows: 0 }
    }

    /// A table of names and values, without a header.
    pub fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(comfy_table::presets::NOTHING);
        inner.enforce_styling();
        let mut table = Table { inner, rows: 0 };
        for (name, value) in pairs {
            if !value.is_empty() {
                table.row([(name.to_owned(), Tone::Dim), (value, Tone::Plain)]);
            }
        }
        table
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Tone)>) {
        self.rows += 1;
        self.inner.add_row(cells.into_iter().map(|(text, tone)| {
            let line = printable(&text).split_whitespace().collect::<Vec<_>>().join(" ");
            let cell = Cell::new(line);
            match tone {
                Tone::Plain => cell,
                Tone::Red => cell.fg(Color::Red),
                Tone::Yellow => cell.fg(Color::Yellow),
                Tone::Green => cell.fg(Color::Green),
                Tone::Dim => cell.add_attribute(Attribute::Dim),
            }
        }));
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The text. On a terminal the last column, which holds the longest texts, is broken to its width.
    pub fn render(&self, width: Option<u16>) -> String {
        let mut table = self.inner.clone();
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
            let last = table.column_count().saturating_sub(1);
            for (index, column) in table.column_iter_mut().enumerate() {
                // Ids that are broken cannot be copied.
                if index == 0 && last > 0 {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                } else if index == last {
                    column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(16)));
                }
            }
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}
