//! The shape of an id, and the id that was probably meant.

use super::Row;
use crate::nearest::distance;

/// Whether `id` is one or two upper-case segments and three digits, joined by dashes.
pub(crate) fn is_well_formed(id: &str) -> bool {
    let Some((prefix, number)) = id.rsplit_once('-') else { return false };
    let segment = |segment: &str| {
        segment.starts_with(|first: char| first.is_ascii_uppercase())
            && segment.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
    };
    number.len() == 3
        && number.chars().all(|digit| digit.is_ascii_digit())
        && prefix.split('-').count() <= 2
        && prefix.split('-').all(segment)
}

/// What to say about an id of another shape.
pub(crate) fn shape_message(id: &str) -> String {
    format!("roadmap id must look like `DAG-005` (upper-case prefix, dash, three digits), found `{id}`")
}

/// The row whose id is nearest, unless none is near enough to have been meant.
pub(crate) fn nearest<'a>(id: &str, rows: impl IntoIterator<Item = &'a Row>) -> Option<&'a Row> {
    let wanted = normal(id);
    let number = number_of(&wanted);
    rows.into_iter()
        .map(|row| {
            let other_prefix = prefix_of(&row.id) != prefix_of(&wanted);
            let away = number_of(&row.id).zip(number).map_or(u32::MAX, |(a, b)| a.abs_diff(b));
            ((distance(&wanted, &row.id) + usize::from(other_prefix), away), row)
        })
        .min_by_key(|(rank, _)| *rank)
        .filter(|((edits, _), _)| *edits <= 3)
        .map(|(_, row)| row)
}

/// `dag_5` and `DAG5` are written as `DAG-005`, which makes slips in the shape no distance at all.
fn normal(id: &str) -> String {
    let upper = id.trim().to_uppercase().replace(['_', ' ', '.', '/'], "-");
    let prefix = upper.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &upper[prefix.len()..];
    let prefix = prefix.trim_end_matches('-');
    match number.trim_start_matches('0') {
        digits if prefix.is_empty() || number.is_empty() || digits.len() > 3 => upper,
        digits => format!("{prefix}-{digits:0>3}"),
    }
}

fn prefix_of(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(prefix, _)| prefix)
}

fn number_of(id: &str) -> Option<u32> {
    id.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::builtin;
    use super::*;

    #[test]
    fn shapes() {
        for id in ["DAG-005", "LLM-REASON-001", "K8S-001"] {
            assert!(is_well_formed(id), "{id}");
        }
        for id in
            ["", "DAG", "DAG-05", "DAG-0005", "dag-005", "DAG_005", "-005", "8K-001", "A-B-C-001", "A--001"]
        {
            assert!(!is_well_formed(id), "{id}");
        }
    }

    #[test]
    fn slips_find_what_was_meant() {
        for (slip, meant) in [
            ("DAG-05", "DAG-005"),
            ("dag-5", "DAG-005"),
            ("DAG005", "DAG-005"),
            ("dag_005", "DAG-005"),
            ("DAG-0005", "DAG-005"),
            ("DGA-005", "DAG-005"),
            ("DAG-999", "DAG-009"),
            ("DAG-011", "DAG-010"),
            ("LLM-REASONS-001", "LLM-REASON-001"),
            ("LLM_REASON_1", "LLM-REASON-001"),
            ("TRANSFROM-003", "TRANSFORM-003"),
        ] {
            assert_eq!(nearest(slip, builtin()).map(|row| row.id.as_str()), Some(meant), "{slip}");
        }
    }

    #[test]
    fn nonsense_has_no_neighbour() {
        for text in ["", "WAREHOUSE-001", "fan out", "ünïcode", "123456789"] {
            assert_eq!(nearest(text, builtin()).map(|row| row.id.as_str()), None, "{text}");
        }
    }
}
