//! What `faults` takes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::RangedU64ValueParser;

/// What there is to do with faults.
#[derive(Debug, Subcommand)]
pub enum FaultsCommand {
    /// Make a stored plan as small as it can be while its test fails alike
    ///
    /// Runs the test again and again with a smaller plan each time, into run folders of its own. A plan fails alike if it leads
    /// to one of the findings, high or critical, that the whole plan leads to and that are not there without faults.
    Shrink {
        /// The plan: `results/faults/….plan.json` of a run folder
        plan: PathBuf,
        /// Count findings with this text in their title only
        #[arg(long, value_name = "TEXT")]
        failure: Option<String>,
        /// A plan counts as failing if it fails so often …
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
        fails: u32,
        /// … of so many runs
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
        of: u32,
        /// At most this many runs of the test
        #[arg(long, value_name = "RUNS", default_value_t = 100)]
        budget: u32,
        /// Write the smaller plan there [default: print it]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The command that runs the test, with variables before it where it needs any
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}
