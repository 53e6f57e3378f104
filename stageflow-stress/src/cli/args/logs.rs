//! What `logs` takes.

use std::path::PathBuf;

use clap::Subcommand;

/// What there is to do with logs.
#[derive(Debug, Subcommand)]
pub enum LogsCommand {
    /// Analyse logs: formats, templates, errors, and what the detectors see
    Analyze {
        /// The logs; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What wrote them went well, so an error in them is a finding
        #[arg(long)]
        passed: bool,
        /// Errors with this text belong to the scenario
        #[arg(long, value_name = "TEXT")]
        expect_error: Vec<String>,
        /// A record with this text must be there
        #[arg(long, value_name = "TEXT")]
        expect_log: Vec<String>,
        /// A field that names the operation of a record, besides run_id, request_id, trace_id and the like
        #[arg(long, value_name = "FIELD")]
        correlate_by: Vec<String>,
        /// Accept what a detector sees, all of it or about subjects with a text: `D8` or `D8:heartbeat`
        #[arg(long, value_name = "DETECTOR[:TEXT]")]
        waive: Vec<String>,
        /// The log of a run that went well, to compare with
        #[arg(long, value_name = "FILE")]
        last_good: Option<PathBuf>,
        /// Print the page of the analysis instead of tables
        #[arg(long)]
        markdown: bool,
        /// Write {file}_stats.json, _errors.json and _analysis.md into this directory
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Exit with 1 if there is a finding
        #[arg(long)]
        exit_code: bool,
    },
    /// Compare a log with another one: what is new, gone, more or less frequent, and which steps differ
    Diff {
        /// The first log, or several separated by commas
        #[arg(value_delimiter = ',', required = true, num_args = 1, value_name = "BEFORE")]
        before: Vec<PathBuf>,
        /// The second log, or several separated by commas
        #[arg(value_delimiter = ',', required = true, num_args = 1, value_name = "AFTER")]
        after: Vec<PathBuf>,
        /// Print a page instead of tables
        #[arg(long)]
        markdown: bool,
        /// Exit with 1 if they differ
        #[arg(long)]
        exit_code: bool,
    },
}
