//! Closed sets of words on the command line: what is accepted, suggested and completed.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::classify::{Priority, Risk, Severity};
use crate::export::Profile;
use crate::finding::{FindingStatus, FindingType, Ledger, ResolutionType, SuggestionKind};

/// A closed set of words, each with what a shell completes and what a person may write instead.
pub trait Word: Copy + Send + Sync + std::str::FromStr + 'static {
    /// The words.
    fn words() -> Vec<&'static str>;
}

macro_rules! word {
    ($($name:ident),+) => {
        $(impl Word for $name {
            fn words() -> Vec<&'static str> {
                Self::ALL.iter().map(|word| word.as_str()).collect()
            }
        })+
    };
}
word!(FindingStatus, FindingType, Severity, Priority, Risk, ResolutionType);

pub fn word<T: Word>() -> impl TypedValueParser<Value = T> {
    let values = T::words().into_iter().map(|word| {
        // `in-progress` for `in_progress`; nobody remembers which.
        let value = PossibleValue::new(word);
        match word {
            "in_progress" => value.alias("in-progress"),
            "wont_fix" => value.alias("wont-fix"),
            "silent_failure" => value.alias("silent-failure"),
            "log_issue" => value.alias("log-issue"),
            "feature_request" => value.alias("feature-request"),
            "by_design" => value.alias("by-design"),
            "cannot_reproduce" => value.alias("cannot-reproduce"),
            _ => value,
        }
    });
    PossibleValuesParser::new(values).try_map(|text: String| {
        text.replace('-', "_").parse::<T>().map_err(|_| format!("`{text}` is none of the words"))
    })
}

/// The words in which findings are written.
pub fn profile() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(["upstream", "extended"]).map(|text: String| match text.as_str() {
        "extended" => Profile::Extended,
        _ => Profile::Upstream,
    })
}

/// The names of the ledgers, as the original script took them.
pub fn ledger_name() -> impl TypedValueParser<Value = Ledger> {
    let values = [("strength", "strengths"), ("bug", "bugs"), ("dx", "dx"), ("improvement", "improvements")]
        .map(|(name, alias)| PossibleValue::new(name).alias(alias));
    PossibleValuesParser::new(values).map(|text: String| match text.as_str() {
        "strength" | "strengths" => Ledger::Strengths,
        "dx" => Ledger::Dx,
        "improvement" | "improvements" => Ledger::Improvements,
        _ => Ledger::Bugs,
    })
}

/// What is suggested, in one word or as the ledger has it.
pub fn suggestion_kind() -> impl TypedValueParser<Value = SuggestionKind> {
    let values = SuggestionKind::ALL.iter().map(|kind| {
        let word = kind.as_str();
        PossibleValue::new(word.trim_end_matches("_suggestion")).alias(word)
    });
    PossibleValuesParser::new(values).try_map(|text: String| {
        let word = format!("{}_suggestion", text.trim_end_matches("_suggestion"));
        word.parse::<SuggestionKind>().map_err(|error| error.to_string())
    })
}
