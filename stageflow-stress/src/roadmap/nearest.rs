//! The entry that a mistyped id probably means.

use super::{Entry, entries};

/// The built-in entry whose id takes the fewest edits, if they are at most three.
///
/// ```
/// # use stageflow_stress::roadmap;
/// assert_eq!(roadmap::nearest("DAG-05").unwrap().id, "DAG-005");
/// assert!(roadmap::nearest("WAREHOUSE-001").is_none());
/// ```
#[must_use]
pub fn nearest(id: &str) -> Option<&'static Entry> {
    let wanted = id.trim().to_uppercase().replace('_', "-");
    entries()
        .iter()
        .map(|entry| ((edits(&wanted, entry.id), !same_prefix(&wanted, entry.id)), entry))
        .min_by_key(|(rank, _)| *rank)
        .filter(|((edits, _), _)| *edits <= 3)
        .map(|(_, entry)| entry)
}

fn same_prefix(a: &str, b: &str) -> bool {
    let prefix = |id: &str| id.rsplit_once('-').map(|(prefix, _)| prefix.to_owned());
    prefix(a) == prefix(b)
}

/// Insertions, deletions and replacements that turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != *to);
            row.push(replaced.min(last[j + 1] + 1).min(row[j] + 1));
        }
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_what_was_meant() {
        for (slip, meant) in [
            ("DAG-05", "DAG-005"),
            ("dag-005", "DAG-005"),
            ("dag_005", "DAG-005"),
            ("LLM-REASONS-001", "LLM-REASON-001"),
            ("DAG-999", "DAG-009"),
        ] {
            assert_eq!(nearest(slip).map(|entry| entry.id), Some(meant), "{slip}");
        }
        assert!(nearest("").is_none());
        assert!(nearest("something else").is_none());
    }
}
