//! What a session of faults comes to: numbers that add up, and a reason for everything that was not delivered.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::ledger::Ledger;
use super::record::{Delivery, DeliveryState, OperationOutcome};
use super::{Fault, Schedule};

/// What was armed, delivered and not delivered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FaultReport {
    /// Strikes that the plan means to make: as many as its schedules say; at least one of a fault without an end.
    pub armed: u64,
    /// Strikes that the caller met.
    pub delivered: u64,
    /// Strikes that it did not meet. `armed = delivered + undelivered`.
    pub undelivered: u64,
    /// Fault by fault, in the order of the plan.
    pub faults: Vec<FaultSummary>,
    /// Port by port.
    pub ports: BTreeMap<String, PortCounts>,
    /// Operations that were counted and not kept one by one.
    pub operations_not_kept: u64,
    /// Strike by strike.
    pub deliveries: Vec<Delivery>,
}

/// What became of one fault of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FaultSummary {
    /// The fault.
    pub fault: Fault,
    /// Strikes that it means to make.
    pub armed: u64,
    /// Strikes that the caller met.
    pub delivered: u64,
    /// Strikes that it did not meet.
    pub undelivered: u64,
    /// Why not, each reason once.
    pub why: Vec<String>,
}

/// Operations of a port by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PortCounts {
    /// Calls.
    pub calls: u64,
    /// Answered.
    pub ok: u64,
    /// Answered with an error.
    pub failed: u64,
    /// May have taken effect.
    pub unknown: u64,
    /// Have not ended.
    pub running: u64,
    /// How often the wrapped operation really ran to its end with `Ok`.
    pub executed: u64,
}

impl PortCounts {
    pub(crate) fn ended(&mut self, outcome: OperationOutcome, executed: u32) {
        match outcome {
            OperationOutcome::Ok => self.ok += 1,
            OperationOutcome::Failed => self.failed += 1,
            OperationOutcome::Unknown => self.unknown += 1,
            OperationOutcome::Running => return,
        }
        self.running = self.running.saturating_sub(1);
        self.executed += u64::from(executed);
    }
}

impl FaultSummary {
    pub(crate) fn of(
        number: usize,
        fault: &Fault,
        deliveries: &[Delivery],
        ledger: &Ledger,
        healed: bool,
    ) -> Self {
        let mine: Vec<_> = deliveries.iter().filter(|delivery| delivery.fault == number).collect();
        let delivered =
            mine.iter().filter(|delivery| delivery.state == DeliveryState::Delivered).count() as u64;
        let due = mine.len() as u64;
        // A schedule counts the calls of each port of its own.
        let ports: Vec<_> =
            ledger.ports.iter().filter(|(name, _)| fault.concerns(name)).map(|(_, port)| port).collect();
        let planned = fault.schedule.planned().map(|planned| planned * (ports.len() as u64).max(1));
        let armed = planned.unwrap_or(1).max(due);
        let mut why = Vec::new();
        for delivery in &mine {
            let reason = match &delivery.state {
                DeliveryState::Delivered => continue,
                DeliveryState::NotDelivered { why } => why.clone(),
                DeliveryState::Striking => "the call has not come back".to_owned(),
            };
            if !why.contains(&reason) {
                why.push(reason);
            }
        }
        if armed > due {
            why.push(if let Some(unavailable) = fault.kind.unavailable() {
                unavailable.to_owned()
            } else if ports.is_empty() {
                format!("there is no port `{}`", fault.port)
            } else {
                let calls: u64 = ports.iter().map(|port| port.counts.calls).sum();
                let off = if healed { ", and the faults were switched off" } else { "" };
                format!(
                    "{} of {armed} strikes were never due: {}{off}",
                    armed - due,
                    calls_said(fault, calls)
                )
            });
        }
        FaultSummary { fault: fault.clone(), armed, delivered, undelivered: armed - delivered, why }
    }
}

fn calls_said(fault: &Fault, calls: u64) -> String {
    let plural = if calls == 1 { "" } else { "s" };
    let meant = match &fault.schedule {
        Schedule::Nth(n) => format!("call {n}"),
        Schedule::First(n) => format!("the first {n} calls"),
        Schedule::At(at) => format!("the calls {at:?}"),
        Schedule::Every(n) => format!("every {n}th call"),
        Schedule::After(n) => format!("the calls after the {n}th"),
        Schedule::Alternate { down, up } => format!("{down} of every {} calls", down + up),
    };
    format!("`{}` had {calls} call{plural}, the plan means {meant}", fault.port)
}

impl FaultReport {
    /// `Ok` if every fault of the plan struck at least once and nothing that was due failed to be delivered.
    ///
    /// # Errors
    /// What was not delivered and why.
    pub fn all_delivered(&self) -> Result<(), Undelivered> {
        if self.undelivered == 0 {
            return Ok(());
        }
        Err(Undelivered { armed: self.armed, undelivered: self.undelivered, shown: self.undelivered_lines() })
    }

    /// A line for each fault that was not delivered in full.
    #[must_use]
    pub fn undelivered_lines(&self) -> Vec<String> {
        self.faults
            .iter()
            .filter(|summary| summary.undelivered > 0)
            .map(|summary| {
                format!(
                    "{} at `{}`: {} of {} not delivered: {}",
                    summary.fault.kind,
                    summary.fault.port,
                    summary.undelivered,
                    summary.armed,
                    summary.why.join("; ")
                )
            })
            .collect()
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} faults armed, {} delivered, {} not delivered",
            self.armed, self.delivered, self.undelivered
        )?;
        for line in self.undelivered_lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// The title of the finding that faults were not delivered.
pub(crate) const UNDELIVERED: &str = "faults were armed and not delivered";

/// Faults that were armed and not delivered: what went well without them proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{undelivered} of {armed} faults were not delivered: {}", shown.join("; "))]
#[non_exhaustive]
pub struct Undelivered {
    /// Strikes that the plan means to make.
    pub armed: u64,
    /// Strikes that the caller did not meet.
    pub undelivered: u64,
    /// A line for each fault.
    pub shown: Vec<String>,
}
