//! The nearest of several known texts, for "did you mean".

/// The candidate with the fewest edits to `text`, if they are few enough to be a slip of the hand.
///
/// `normal` gives the spelling in which a candidate is compared; ties go to the first candidate.
pub(crate) fn nearest<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    normal: impl Fn(&str) -> String,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(text, &normal(candidate)), candidate))
        .filter(|(edits, candidate)| *edits <= candidate.len() / 3)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("DAG-05", "DAG-005", 1),
            ("DGA", "DAG", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn far_texts_have_no_neighbour() {
        let known = ["flavor", "timeout"];
        assert_eq!(nearest("flavour", known, str::to_owned), Some("flavor"));
        assert_eq!(nearest("xyz", known, str::to_owned), None);
        assert_eq!(nearest("P7", ["P0", "P1"], str::to_owned), None);
    }
}
