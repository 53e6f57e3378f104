//! How many entries there are of each kind.

use std::collections::BTreeMap;

use super::{Entry, entries};
use crate::classify::{Priority, Risk};

/// A tier or a section, with the number of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// Number of the tier (`1`) or the section (`1.2`).
    pub number: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// How many entries it has.
    pub entries: usize,
}

/// The entries of a roadmap, counted. Counted each time: nobody types a total.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All of them.
    pub total: usize,
    /// By number of the tier.
    pub tiers: BTreeMap<u8, usize>,
    /// By section, in the order of the roadmap.
    pub sections: Vec<Group>,
    /// By priority.
    pub priorities: BTreeMap<Priority, usize>,
    /// By risk class.
    pub risks: BTreeMap<Risk, usize>,
    /// By execution phase; 0 counts those without one.
    pub phases: BTreeMap<u8, usize>,
}

/// Counts the built-in entries.
///
/// ```
/// use stageflow_stress::{Risk, roadmap};
///
/// let counts = roadmap::counts();
/// assert_eq!(counts.total, 308);
/// assert_eq!(counts.tiers[&1], 28);
/// assert_eq!(counts.sections[1].title, "DAG Execution & Scheduling");
/// assert_eq!(counts.risks.values().sum::<usize>(), counts.total);
/// ```
#[must_use]
pub fn counts() -> Counts {
    Counts::of(entries())
}

impl Counts {
    /// Counts any entries: those of a project, or a selection.
    #[must_use]
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Counts {
        let mut counts = Counts {
            total: 0,
            tiers: BTreeMap::new(),
            sections: Vec::new(),
            priorities: BTreeMap::new(),
            risks: BTreeMap::new(),
            phases: BTreeMap::new(),
        };
        for entry in entries {
            counts.total += 1;
            *counts.tiers.entry(entry.tier).or_default() += 1;
            *counts.priorities.entry(entry.priority).or_default() += 1;
            *counts.risks.entry(entry.risk).or_default() += 1;
            *counts.phases.entry(entry.phase).or_default() += 1;
            let same =
                |group: &&mut Group| group.number == entry.section && group.title == entry.section_title;
            match counts.sections.iter_mut().find(same) {
                Some(group) => group.entries += 1,
                None => {
                    counts.sections.push(Group {
                        number: entry.section,
                        title: entry.section_title,
                        entries: 1,
                    });
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_roadmap_in_numbers() {
        let counts = counts();
        assert_eq!(counts.total, 308);
        let tiers: Vec<_> = counts.tiers.values().copied().collect();
        assert_eq!(tiers, [28, 55, 33, 101, 21, 15, 14, 15, 14, 12]);
        assert_eq!(counts.sections.len(), 45);
        assert_eq!(counts.sections.iter().map(|section| section.entries).sum::<usize>(), 308);
        assert_eq!(counts.priorities.into_values().collect::<Vec<_>>(), [82, 190, 36]);
        assert_eq!(counts.risks.into_values().collect::<Vec<_>>(), [5, 46, 156, 70, 31]);
        assert_eq!(counts.phases.into_values().collect::<Vec<_>>(), [18, 16, 70, 47, 101, 56]);
    }

    #[test]
    fn a_selection_is_counted_alone() {
        let counts = Counts::of(entries().iter().filter(|entry| entry.section == "1.2"));
        assert_eq!(counts.total, 10);
        assert_eq!(counts.sections.len(), 1);
    }
}
