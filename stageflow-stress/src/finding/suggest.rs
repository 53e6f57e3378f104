//! Did you mean?

/// The candidate that differs least from what was written, if it differs little.
pub(crate) fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = found.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(found, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance without regard to ASCII case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_slips_are_recognised_and_other_words_are_not() {
        let keys = ["fingerprint", "title", "status", "why"];
        assert_eq!(nearest("fingerprnt", keys), Some("fingerprint"));
        assert_eq!(nearest("Titel", keys), None);
        assert_eq!(nearest("tittle", keys), Some("title"));
        assert_eq!(nearest("WHY", keys), Some("why"));
        assert_eq!(nearest("reason", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
