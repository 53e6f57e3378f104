//! The closed sets of words that an argument takes, spelled as the library's enums spell their variants.

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use crate::nearest::nearest;

/// A closed set of words.
pub(crate) struct Words {
    /// What a word of the set is, in messages.
    what: &'static str,
    /// The library's enum.
    name: &'static str,
    /// Its variants.
    pub(crate) all: &'static [&'static str],
}

/// The seven test categories.
pub(crate) const CATEGORY: Words = Words {
    what: "category",
    name: "Category",
    all: &[
        "Correctness",
        "Reliability",
        "Performance",
        "Security",
        "Scalability",
        "Observability",
        "SilentFailures",
    ],
};

/// The five kinds of pipeline.
pub(crate) const PIPELINE: Words = Words {
    what: "pipeline kind",
    name: "PipelineKind",
    all: &["Baseline", "Stress", "Chaos", "Adversarial", "Recovery"],
};

/// The thirteen oracles.
pub(crate) const ORACLE: Words = Words {
    what: "oracle",
    name: "Oracle",
    all: &[
        "Bounds",
        "Consistency",
        "Cost",
        "Durability",
        "Idempotency",
        "Observability",
        "Permission",
        "Schema",
        "Security",
        "SideEffect",
        "StateChange",
        "Timing",
        "Trace",
    ],
};

/// The severities.
pub(crate) const SEVERITY: Words =
    Words { what: "severity", name: "Severity", all: &["Info", "Low", "Medium", "High", "Critical"] };

/// The five patterns of silent failure.
pub(crate) const PATTERN: Words = Words {
    what: "silent-failure pattern",
    name: "Pattern",
    all: &["SwallowedException", "IncorrectDefault", "PartialState", "LossyConversion", "AsyncFailure"],
};

/// The stock observers that can be waived. A waiver of another would be silent.
pub(crate) const OBSERVER: Words = Words {
    what: "stock observer",
    name: "allow",
    all: &[
        "background_panic",
        "late_effect",
        "undelivered_fault",
        "leaked_task",
        "leaked_thread",
        "panic_hook_replaced",
        "partial_capture",
        "never_finished",
        "error_in_log",
        "unpaired_log",
        "claim_without_effect",
        "telemetry_loss",
        "golden_accepted",
        "nothing_checked",
        "retry_passed",
    ],
};

/// Priorities of a roadmap's row.
pub(crate) const PRIORITY: Words = Words { what: "priority", name: "Priority", all: &["P0", "P1", "P2"] };

/// Risk classes of a roadmap's row.
pub(crate) const RISK: Words =
    Words { what: "risk class", name: "Risk", all: &["Low", "Moderate", "High", "Severe", "Catastrophic"] };

impl Words {
    /// Takes a bare word, or one with its enum in front, and keeps its tokens so that editors can follow it.
    pub(crate) fn parse(&self, tokens: &TokenStream) -> syn::Result<Ident> {
        if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
            let problem = format!("expected a bare word, found a string; {}", self.advice(&text.value()));
            return Err(syn::Error::new_spanned(tokens, problem));
        }
        let Ok(path) = syn::parse2::<Path>(tokens.clone()) else {
            let problem = format!("expected a {}; {}", self.what, self.advice(""));
            return Err(syn::Error::new_spanned(tokens, problem));
        };
        let mut segments = path.segments.iter().rev();
        let word = segments.next().map(|segment| segment.ident.clone());
        let (Some(word), owner) = (word, segments.next()) else {
            return Err(syn::Error::new_spanned(tokens, format!("expected a {}", self.what)));
        };
        if let Some(owner) = owner.filter(|owner| owner.ident != self.name) {
            let problem = format!("expected a `{}`, found a `{}`", self.name, owner.ident);
            return Err(syn::Error::new_spanned(tokens, problem));
        }
        if self.all.iter().any(|known| word == known) {
            return Ok(word);
        }
        let text = word.to_string();
        Err(syn::Error::new_spanned(
            tokens,
            format!("unknown {} `{text}`; {}", self.what, self.advice(&text)),
        ))
    }

    /// The variant that `text` spells, in any case.
    pub(crate) fn find(&self, text: &str) -> Option<&'static str> {
        self.all.iter().copied().find(|known| known.eq_ignore_ascii_case(text))
    }

    /// The message about a text that is no word of the set.
    pub(crate) fn unknown(&self, text: &str) -> String {
        format!("unknown {} `{text}`; {}", self.what, self.advice(text))
    }

    fn advice(&self, text: &str) -> String {
        let plain = text.replace('_', "").to_lowercase();
        let near = self
            .find(&plain)
            .or_else(|| nearest(&plain, self.all.iter().copied(), |known| known.to_lowercase()));
        match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of {}", list(self.all)),
        }
    }
}

/// `a`, `b` and `c`, each in backticks.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn message(words: &Words, tokens: TokenStream) -> String {
        words.parse(&tokens).unwrap_err().to_string()
    }

    #[test]
    fn a_word_is_taken_bare_or_with_its_enum() {
        assert_eq!(CATEGORY.parse(&quote!(Scalability)).unwrap(), "Scalability");
        assert_eq!(CATEGORY.parse(&quote!(st::Category::Security)).unwrap(), "Security");
        assert_eq!(message(&CATEGORY, quote!(Severity::High)), "expected a `Category`, found a `Severity`");
    }

    #[test]
    fn other_spellings_are_told_the_right_one() {
        assert_eq!(
            message(&CATEGORY, quote!(Scalabilty)),
            "unknown category `Scalabilty`; did you mean `Scalability`?"
        );
        assert_eq!(
            message(&ORACLE, quote!(side_effect)),
            "unknown oracle `side_effect`; did you mean `SideEffect`?"
        );
        assert_eq!(
            message(&PIPELINE, quote!("stress")),
            "expected a bare word, found a string; did you mean `Stress`?"
        );
        assert_eq!(
            message(&OBSERVER, quote!(LeakedTasks)),
            "unknown stock observer `LeakedTasks`; did you mean `leaked_task`?"
        );
        assert_eq!(
            message(&PIPELINE, quote!(Xylophone)),
            "unknown pipeline kind `Xylophone`; expected one of `Baseline`, `Stress`, `Chaos`, `Adversarial`, `Recovery`"
        );
    }
}
