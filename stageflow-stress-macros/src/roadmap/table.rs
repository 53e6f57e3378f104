//! The Markdown shape of a roadmap.
//!
//! `## Tier 1: Core` and `### 1.2 Scheduling` are the headings; every table with an `ID` column holds rows. `Target`,
//! `Priority` and `Risk` columns must be there, `Phase` and `Status` may be. Other tables, text and fenced code are
//! skipped.

use super::{Row, id};
use crate::words::{PRIORITY, RISK, Words};

/// What is wrong in a file, and on which line.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// Where each column of the table at hand is.
struct Columns {
    id: usize,
    target: usize,
    priority: usize,
    risk: usize,
    phase: Option<usize>,
    status: Option<usize>,
}

/// Reads every row, and tells everything that is wrong.
pub(crate) fn parse(text: &str) -> (Vec<Row>, Vec<Problem>) {
    let mut rows: Vec<Row> = Vec::new();
    let mut problems = Vec::new();
    let (mut tier, mut section) = ((0, String::new()), (String::new(), String::new()));
    let mut table = Table::None;
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.starts_with("```") || line.starts_with("~~~") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        if !line.starts_with('|') {
            table = Table::None;
            if let Some(heading) = line.strip_prefix("### ") {
                section = numbered(heading);
            } else if let Some(heading) = line.strip_prefix("## ") {
                tier = tier_of(heading);
                section = Default::default();
            }
            continue;
        }
        let cells = cells(line);
        match &table {
            Table::None => {
                table = Table::begin(&cells).unwrap_or_else(|message| {
                    problems.push(Problem { line: number, message });
                    Table::Other
                })
            }
            Table::Other => {}
            Table::Rows(_) if cells.iter().all(|cell| is_rule(cell)) => {}
            Table::Rows(columns) => match row(columns, &cells) {
                Ok(row) => match rows.iter().find(|earlier| earlier.id == row.id) {
                    Some(earlier) => problems.push(Problem {
                        line: number,
                        message: format!("`{}` is defined twice, first on line {}", row.id, earlier.line),
                    }),
                    None => {
                        rows.push(Row { tier: tier.clone(), section: section.clone(), line: number, ..row })
                    }
                },
                Err(messages) => {
                    problems.extend(messages.into_iter().map(|message| Problem { line: number, message }));
                }
            },
        }
    }
    (rows, problems)
}

enum Table {
    /// Between tables.
    None,
    /// In a table without an `ID` column.
    Other,
    /// In a table of entries.
    Rows(Columns),
}

impl Table {
    fn begin(header: &[String]) -> Result<Table, String> {
        let column = |name: &str| header.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        let Some(id) = column("ID") else { return Ok(Table::Other) };
        let needed =
            |name: &str| column(name).ok_or_else(|| format!("this table of entries has no `{name}` column"));
        Ok(Table::Rows(Columns {
            id,
            target: needed("Target")?,
            priority: needed("Priority")?,
            risk: needed("Risk")?,
            phase: column("Phase"),
            status: column("Status"),
        }))
    }
}

/// A row without its headings and line.
fn row(columns: &Columns, cells: &[String]) -> Result<Row, Vec<String>> {
    let mut problems = Vec::new();
    let cell = |column: usize| cells.get(column).map_or("", String::as_str);
    let id = cell(columns.id).to_owned();
    if !id::is_well_formed(&id) {
        problems.push(id::shape_message(&id));
    }
    let title = cell(columns.target).to_owned();
    if title.is_empty() {
        problems.push(format!("`{id}` has no target"));
    }
    let mut word = |words: &Words, column: usize| {
        let text = cell(column);
        words.find(text).unwrap_or_else(|| {
            problems.push(format!("`{id}`: {}", words.unknown(text)));
            ""
        })
    };
    let (priority, risk) = (word(&PRIORITY, columns.priority), word(&RISK, columns.risk));
    let phase = match columns.phase.map_or("", cell) {
        "" | "-" => Ok(0),
        text => text.parse(),
    };
    let Ok(phase) = phase else {
        problems.push(format!("`{id}`: the phase is a number from 0 to 255"));
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let status = columns.status.map_or("", cell).to_owned();
    let (tier, section) = Default::default();
    Ok(Row { id, title, tier, section, priority, risk, phase, status, line: 0 })
}

/// The trimmed cells between the outer pipes; `\|` is a pipe within a cell.
fn cells(line: &str) -> Vec<String> {
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '|' => cells.push(String::new()),
            '\\' if letters.next_if_eq(&'|').is_some() => {
                cells.last_mut().into_iter().for_each(|c| c.push('|'))
            }
            _ => cells.last_mut().into_iter().for_each(|cell| cell.push(letter)),
        }
    }
    if cells.last().is_some_and(|last| last.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn is_rule(cell: &str) -> bool {
    cell.contains('-') && cell.chars().all(|letter| matches!(letter, '-' | ':'))
}

/// `Tier 3: Infrastructure` is 3 and `Infrastructure`; any other heading is 0 and itself.
fn tier_of(heading: &str) -> (u8, String) {
    heading
        .strip_prefix("Tier ")
        .and_then(|rest| rest.split_once(':'))
        .and_then(|(number, title)| Some((number.trim().parse().ok()?, title.trim().to_owned())))
        .unwrap_or_else(|| (0, heading.trim().to_owned()))
}

/// `1.2 Scheduling` is `1.2` and `Scheduling`; a heading without a number is all title.
fn numbered(heading: &str) -> (String, String) {
    match heading.trim().split_once(' ') {
        Some((number, title)) if number.starts_with(|c: char| c.is_ascii_digit()) => {
            (number.to_owned(), title.trim().to_owned())
        }
        _ => (String::new(), heading.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_table_is_enough() {
        let (rows, problems) =
            parse("| Risk | ID | Target | Priority |\n|:-|-|-|-|\n| low | SHOP-001 | a \\| b | p1 |\n");
        assert_eq!(problems, []);
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!(
            (row.id.as_str(), row.title.as_str(), row.priority, row.risk),
            ("SHOP-001", "a | b", "P1", "Low")
        );
        assert_eq!((row.phase, row.status.as_str(), row.line), (0, "", 3));
        assert_eq!((row.tier.0, row.section.0.as_str()), (0, ""));
    }

    #[test]
    fn headings_number_and_name_what_follows() {
        let text = "## Tier 2: Shop\n### 2.1 Basket\n| ID | Target | Priority | Risk | Phase | Status |\n|-|-|-|-|-|-|\n| A-001 | x | P0 | High | 3 | done |\n\n## Extras\n### More\n| ID | Target | Priority | Risk |\n|-|-|-|-|\n| A-002 | y | P0 | High |\n";
        let (rows, problems) = parse(text);
        assert_eq!(problems, []);
        assert_eq!(rows[0].tier, (2, "Shop".to_owned()));
        assert_eq!(rows[0].section, ("2.1".to_owned(), "Basket".to_owned()));
        assert_eq!((rows[0].phase, rows[0].status.as_str()), (3, "done"));
        assert_eq!(rows[1].tier, (0, "Extras".to_owned()));
        assert_eq!(rows[1].section, (String::new(), "More".to_owned()));
    }

    #[test]
    fn other_tables_and_code_are_skipped() {
        let text = "| Tier | Total |\n|-|-|\n| 1 | 38 |\n\n```\n| ID | Target |\n| x | y |\n```\n";
        assert_eq!(parse(text), (vec![], vec![]));
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "| ID | Target | Priority | Risk | Phase |\n|-|-|-|-|-|\n| shop-1 | | P7 | Hgh | 300 |\n| A-001 | x | P0 | High | 1 |\n| A-001 | y | P0 | High | 1 |\n\n| ID | Target |\n|-|-|\n| A-002 | z |\n";
        let (rows, problems) = parse(text);
        assert_eq!(rows.len(), 1);
        let shown: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.line, p.message)).collect();
        assert_eq!(
            shown,
            [
                "3: roadmap id must look like `DAG-005` (upper-case prefix, dash, three digits), found `shop-1`",
                "3: `shop-1` has no target",
                "3: `shop-1`: unknown priority `P7`; expected one of `P0`, `P1`, `P2`",
                "3: `shop-1`: unknown risk class `Hgh`; did you mean `High`?",
                "3: `shop-1`: the phase is a number from 0 to 255",
                "5: `A-001` is defined twice, first on line 4",
                "7: this table of entries has no `Priority` column",
            ]
        );
    }
}
