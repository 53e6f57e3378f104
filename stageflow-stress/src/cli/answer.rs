//! What a command answers, and how it reaches the terminal, a pipe or a program.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::args::{ColorChoice, GlobalArgs};
use super::error::{CliError, INCOMPLETE};
use super::table::Table;

/// Version of the JSON shapes. A field may be added without a new one.
pub const FORMAT: u32 = 1;

/// Part of what people are shown.
pub enum Part {
    /// A line.
    Line(String),
    /// A line that heads what follows.
    Heading(String),
    /// Rows.
    Table(Box<Table>),
    /// Text of a foreign format, as it is: an export, a script of completions.
    Verbatim(Vec<u8>),
}

/// What a command answers.
pub struct Answer {
    /// What people are shown.
    pub parts: Vec<Part>,
    /// What programs are given. Always an object.
    pub json: Value,
    /// What makes the answer incomplete or doubtful, for standard error.
    pub warnings: Vec<String>,
    /// The exit code.
    pub code: u8,
}

impl Answer {
    /// An answer whose fields are those of an object.
    pub fn new(json: Value) -> Self {
        Answer { parts: Vec::new(), json, warnings: Vec::new(), code: 0 }
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Line(text.into()));
        self
    }

    /// Adds a heading.
    #[must_use]
    pub fn heading(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Heading(text.into()));
        self
    }

    /// Adds a table, unless it has no rows.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        if !table.is_empty() {
            self.parts.push(Part::Table(Box::new(table)));
        }
        self
    }

    /// Adds text of a foreign format.
    #[must_use]
    pub fn verbatim(mut self, bytes: Vec<u8>) -> Self {
        self.parts.push(Part::Verbatim(bytes));
        self
    }

    /// Adds what could not be read. The answer is then incomplete, whatever else it says.
    #[must_use]
    pub fn incomplete(mut self, problems: impl IntoIterator<Item = String>) -> Self {
        for problem in problems {
            self.warnings.push(problem);
            self.code = INCOMPLETE;
        }
        self
    }

    /// Adds what is doubtful.
    #[must_use]
    pub fn warn(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// Sets the exit code, unless the answer is incomplete: that is worse than any other answer.
    #[must_use]
    pub fn exit(mut self, code: u8) -> Self {
        if self.code != INCOMPLETE {
            self.code = code;
        }
        self
    }
}

/// How answers are shown.
pub struct Output {
    json: bool,
    quiet: bool,
    color: anstream::ColorChoice,
    width: Option<u16>,
}

impl Output {
    pub fn new(global: &GlobalArgs) -> Self {
        let color = match global.color {
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
            // Looks at the terminal, NO_COLOR, CLICOLOR and CLICOLOR_FORCE.
            ColorChoice::Auto => anstream::ColorChoice::Auto,
        };
        // Lines are cut to a terminal only; in a pipe everything is there.
        let width = io::stdout()
            .is_terminal()
            .then(|| std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).or_else(terminal_width))
            .flatten();
        Output { json: global.json, quiet: global.quiet, color, width }
    }

    /// Shows an answer and gives the exit code. A reader that has seen enough (`| head`) is no error.
    pub fn print(&self, answer: &Answer) -> ExitCode {
        let text = self.render(answer);
        let mut stdout = anstream::AutoStream::new(io::stdout().lock(), self.color);
        if let Err(error) = stdout.write_all(&text).and_then(|()| stdout.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.say(&format!("cannot write the answer: {error}"), "error", AnsiColor::Red);
            return ExitCode::from(INCOMPLETE);
        }
        if !self.quiet || answer.code == INCOMPLETE {
            for warning in &answer.warnings {
                self.say(warning, "warning", AnsiColor::Yellow);
            }
        }
        ExitCode::from(answer.code)
    }

    fn render(&self, answer: &Answer) -> Vec<u8> {
        if self.json {
            let mut object = match &answer.json {
                Value::Object(object) => object.clone(),
                other => serde_json::Map::from_iter([("answer".to_owned(), other.clone())]),
            };
            object.insert("format".to_owned(), json!(FORMAT));
            object.insert("warnings".to_owned(), json!(answer.warnings));
            let mut text = serde_json::to_vec_pretty(&Value::Object(object)).unwrap_or_default();
            text.push(b'\n');
            return text;
        }
        let mut text: Vec<u8> = Vec::new();
        let bold = Style::new().bold();
        for part in &answer.parts {
            match part {
                Part::Line(line) => text.extend(format!("{}\n", printable(line)).bytes()),
                Part::Heading(line) => {
                    text.extend(format!("{bold}{}{bold:#}\n", printable(line)).bytes());
                }
                Part::Table(table) => text.extend(table.render(self.width).bytes()),
                Part::Verbatim(bytes) => text.extend(bytes),
            }
        }
        text
    }

    /// Says why there is no answer.
    pub fn fail(&self, error: &CliError) -> ExitCode {
        if self.json {
            let error = json!({
                "format": FORMAT,
                "error": { "kind": error.kind(), "message": error.to_string(), "alternatives": error.alternatives() },
            });
            let _ = writeln!(io::stderr(), "{error:#}");
        } else {
            self.say(&error.to_string(), "error", AnsiColor::Red);
        }
        ExitCode::from(error.code())
    }

    fn say(&self, text: &str, what: &str, color: AnsiColor) {
        let style = color.on_default().bold();
        let mut stderr = anstream::AutoStream::new(io::stderr().lock(), self.color);
        let _ = writeln!(stderr, "{style}{what}:{style:#} {}", printable(text));
    }
}

fn terminal_width() -> Option<u16> {
    terminal_size::terminal_size().map(|(width, _)| width.0)
}

/// A text of somebody else's without anything that a terminal would obey. Line breaks stay.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            // What turns the direction of writing can make a line say something else than it does.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
