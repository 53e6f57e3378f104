//! What earlier runs of the same entry recorded on a machine like this.

use std::fs;
use std::panic::Location;

use serde_json::{Value, json};

use super::{Inner, TestContext};
use crate::journal::record::Instrument;
use crate::load::{self, Change, LoadReport};
use crate::run::read_info;

/// The most earlier runs that are looked at, from the newest on.
const LOOKED_AT: usize = 20;

impl TestContext {
    /// Compares a load with the same load in earlier runs of this test, on a machine like this and in the same build
    /// profile, as far as their run folders are still there. It is red if the P50, the P99 or the throughput is worse than the
    /// spread between those runs lets expect (99 % each) and by at least 5 %. Below five such runs, and for a load that is
    /// not valid, nothing is concluded; that is recorded as undecided and is not red.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use stageflow_stress::prelude::*;
    /// # async fn checkout(order: u64) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn body(cx: &TestContext) -> Outcome {
    /// let load = cx.load("checkout").open(200.0).for_(Duration::from_secs(10));
    /// let report = load.run(|op| checkout(op.index())).await?;
    /// cx.compare_with_earlier(&report);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn compare_with_earlier(&self, report: &LoadReport) -> Change {
        let change = load::compare(report, &self.inner.earlier_loads(report));
        self.inner.compared(report, &change, Location::caller());
        change
    }
}

impl Inner {
    /// The recorded loads that a report can be compared with, newest first, one of each run.
    fn earlier_loads(&self, report: &LoadReport) -> Vec<Value> {
        let own = &self.run.info;
        let Some(entry_dir) = self.run.dir.parent() else { return Vec::new() };
        let mut folders: Vec<_> = fs::read_dir(entry_dir)
            .map(|items| {
                items.filter_map(|item| Some(item.ok()?.path())).filter(|path| path.is_dir()).collect()
            })
            .unwrap_or_default();
        // Names hold the day and a number, so their order is that of time.
        folders.sort();
        let of_run = |folder: &std::path::PathBuf| {
            let info = read_info(folder)?;
            let (there, here) = (&info.environment, &own.environment);
            let alike = there.cpu == here.cpu
                && there.logical_cores == here.logical_cores
                && there.profile == here.profile
                && there.target == here.target;
            if !alike || info.uuid == own.uuid {
                return None;
            }
            let text = fs::read_to_string(folder.join("results/metrics/load.json")).ok()?;
            let document: Value = serde_json::from_str(&text).ok()?;
            let entries = document["entries"].as_array()?;
            // The last attempt counts.
            entries
                .iter()
                .rev()
                .find(|entry| entry["test"] == *self.start.name && load::is_comparable(report, entry))
                .cloned()
        };
        folders.iter().rev().filter_map(of_run).take(LOOKED_AT).collect()
    }

    fn compared(&self, report: &LoadReport, change: &Change, location: &Location<'_>) {
        let name = format!("load `{}` is no worse than earlier runs", report.name);
        let (decision, why) = match change {
            Change::NotShown(runs) => ("met", format!("within what {runs} earlier runs let expect")),
            Change::Better(figures) => ("met", format!("better: {}", figures.join("; "))),
            Change::Worse(figures) => ("missed", figures.join("\n")),
            Change::Unknown(why) => ("undecided", why.clone()),
        };
        self.measured(
            Instrument::Targets,
            json!({
                "name": name,
                "of_entry": false,
                "quantity": "change",
                "comparison": null,
                "bound": null,
                "bound_unit": null,
                "measured": null,
                "decision": decision,
                "why": why,
            }),
        );
        if decision != "undecided" {
            self.check(&name, decision == "met", || why, location);
        }
    }
}
