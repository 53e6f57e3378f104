//! What follows what within an operation, and after which time.

use super::super::event::NO_TIME;
use super::super::hash::Map;

/// The last record of an operation, or of a thread outside of every operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub time: i64,
    pub line: u32,
    pub template: u32,
    /// Whether it announced a wait.
    pub waits: bool,
}

pub(super) const NOTHING_YET: Stream = Stream { time: NO_TIME, line: 0, template: u32::MAX, waits: false };

/// Which template follows which within an operation.
#[derive(Debug, Default)]
pub(super) struct Steps {
    numbers: Map<u64, u32>,
    pub list: Vec<Step>,
    /// The last step from each template: mostly the next one is the same.
    recent: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Step {
    pub from: u32,
    pub to: u32,
    pub count: u64,
    /// Microseconds between the two, of the first ones.
    pub usual: Vec<i64>,
}

impl Steps {
    pub fn new(templates: usize) -> Self {
        Steps { recent: vec![u32::MAX; templates], ..Steps::default() }
    }

    /// Microseconds that few pauses within operations exceed: one in a hundred.
    pub fn long_pause(&self) -> i64 {
        let mut all: Vec<i64> = self.list.iter().flat_map(|step| &step.usual).copied().collect();
        all.sort_unstable();
        all.get(all.len().saturating_sub(1 + all.len() / 100)).copied().unwrap_or(0)
    }

    pub fn add(&mut self, from: u32, to: u32) -> u32 {
        let recent = self.recent[from as usize];
        let number = match self.list.get(recent as usize) {
            Some(step) if step.to == to => recent,
            _ => {
                let next = self.list.len() as u32;
                let number = *self.numbers.entry(u64::from(from) << 32 | u64::from(to)).or_insert(next);
                if number == next {
                    self.list.push(Step { from, to, count: 0, usual: Vec::new() });
                }
                self.recent[from as usize] = number;
                number
            }
        };
        self.list[number as usize].count += 1;
        number
    }
}
