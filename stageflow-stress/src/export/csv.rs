//! CSV: fixed flat columns, and everything else in one column of JSON.

use super::{ExportError, Exported, Item, Options};

/// A column: its name, and what stands in it.
type Column = (&'static str, fn(&Item) -> String);

/// The columns, in an order that stays. A new one is added before `json`, the last.
const COLUMNS: &[Column] = &[
    ("id", |item| item.id.clone()),
    ("entry", |item| item.entry.clone()),
    ("type", |item| item.kind.to_string()),
    ("severity", |item| item.severity.to_string()),
    ("status", |item| item.status.to_string()),
    ("title", |item| item.title.clone()),
    ("component", |item| item.component.clone().unwrap_or_default()),
    ("tags", |item| item.tags.join("; ")),
    ("description", |item| item.description.clone()),
    ("created_at", |item| item.created_at.clone().unwrap_or_default()),
    ("updated_at", |item| item.updated_at.clone().unwrap_or_default()),
    ("resolved_at", |item| item.resolved_at.clone().unwrap_or_default()),
    ("occurrences", |item| item.occurrences.to_string()),
    ("runs", |item| item.runs.len().to_string()),
    ("first_run", |item| item.runs.first().cloned().unwrap_or_default()),
    ("last_run", |item| item.runs.last().cloned().unwrap_or_default()),
    ("in_latest_run", |item| item.in_latest_run.to_string()),
    ("rule", |item| item.rule.clone().unwrap_or_default()),
    ("location", |item| {
        item.place.as_ref().map_or_else(String::new, |(file, line)| format!("{file}:{line}"))
    }),
    ("reproduce", |item| item.reproduce().unwrap_or_default().to_owned()),
    ("resolution_type", |item| item.text("resolution", "resolution_type").unwrap_or_default().to_owned()),
    ("resolution_details", |item| {
        item.text("resolution", "resolution_details").unwrap_or_default().to_owned()
    }),
    ("commit", |item| item.text("resolution", "commit_hash").unwrap_or_default().to_owned()),
    ("pull_request", |item| item.text("resolution", "pr_link").unwrap_or_default().to_owned()),
    ("release", |item| item.text("resolution", "release_version").unwrap_or_default().to_owned()),
    ("fingerprint", |item| item.fingerprint.clone().unwrap_or_default()),
];

/// The table with its header.
pub fn csv(exported: &Exported, options: Options) -> Result<Vec<u8>, ExportError> {
    // Line ends as RFC 4180 has them.
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().map(|(name, _)| *name).chain(["json"]))?;
    for item in &exported.items {
        let json = serde_json::to_string(&item.object(options.profile)).unwrap_or_default();
        let cells = COLUMNS.iter().map(|(_, value)| value(item)).chain([json]);
        writer.write_record(cells.map(|cell| if options.excel_safe { safe(cell) } else { cell }))?;
    }
    writer.into_inner().map_err(|error| ExportError::Csv(error.into_error().into()))
}

/// The cell, with an apostrophe before what a spreadsheet would compute, and cut to what a cell of Excel holds.
fn safe(cell: String) -> String {
    let mut cell = match cell.trim_start_matches([' ', '\u{feff}', '\u{a0}']).chars().next() {
        // The last four are the full-width forms, which some spreadsheets take for the plain ones.
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{cell}")
        }
        _ => cell,
    };
    // Excel cuts longer cells without a word.
    const MOST: usize = 32_767;
    if cell.chars().count() > MOST {
        const MARK: &str = "… (cut; the whole is in the JSON export)";
        cell = cell.chars().take(MOST - MARK.chars().count()).collect();
        cell.push_str(MARK);
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn what_a_spreadsheet_would_compute_gets_an_apostrophe() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u{feff}=1", "＝1"] {
            assert_eq!(safe(bad.to_owned()), format!("'{bad}"));
        }
        for good in ["a=1", "", "1", "DAG-005", "'=1"] {
            assert_eq!(safe(good.to_owned()), good);
        }
    }

    #[test]
    fn a_cell_holds_no_more_than_excel_takes() {
        let cut = safe("é".repeat(40_000));
        assert_eq!(cut.chars().count(), 32_767);
        assert!(cut.ends_with("JSON export)"));
    }
}
