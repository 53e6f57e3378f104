//! Whether two texts say the same in nearly the same words. Never an identity, only a suggestion.

use std::collections::BTreeSet;

use super::mask::{MASK, mask};

/// From this share of common words on, two texts are alike.
const ALIKE: f64 = 0.8;

/// The words of a text, without its values, case and signs.
pub(crate) struct Words(BTreeSet<String>);

impl Words {
    pub fn of(text: &str) -> Self {
        let text = mask(text).replace(MASK, " ");
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        Words(words.map(str::to_lowercase).collect())
    }

    /// Common words by all words (Jaccard). Texts without words have nothing in common.
    pub fn similarity(&self, other: &Words) -> f64 {
        let common = self.0.intersection(&other.0).count();
        let all = self.0.len() + other.0.len() - common;
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    }

    pub fn alike(&self, other: &Words) -> bool {
        self.similarity(other) >= ALIKE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_and_values_case_and_signs_do_not() {
        let alike = |left: &str, right: &str| Words::of(left).alike(&Words::of(right));
        assert!(alike("Lost 2 of 500 outputs!", "lost 17 of 900 outputs"));
        assert!(!alike("lost outputs", "lost inputs"));
        assert!(!alike("", ""));
        assert!(alike("a b c d e", "a b c d"), "four of five");
        assert!(!alike("a b c d e f", "a b c d"), "four of six");
    }
}
