//! The project's own rules: the table `[redaction]` of `stageflow.toml`.

use regex_lite::Regex;
use serde::Deserialize;

use super::shapes::KINDS;

/// What the project says about redaction.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Kinds that are not looked for.
    pub off: Vec<String>,
    /// Fields whose value is secret whatever it looks like.
    pub fields: Vec<String>,
    /// Fields whose value is never redacted.
    pub allow_fields: Vec<String>,
    /// Kinds and patterns of the project's own.
    pub patterns: Vec<(String, Regex)>,
    /// Patterns of texts that are never redacted.
    allow: Vec<Regex>,
}

/// The table `[redaction]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(default)]
    off: Vec<String>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    allow_fields: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    rule: Vec<RuleTable>,
}

/// `[[redaction.rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    kind: String,
    pattern: String,
}

/// Why a table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A pattern is no regular expression.
    #[error("the pattern `{pattern}` is not understood: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// A kind has a name that a marker cannot hold.
    #[error("the kind `{0}` needs a name of lower-case letters, digits and `_`")]
    Kind(String),
    /// A kind is to be switched off that does not exist.
    #[error("there is no kind `{found}` to switch off; those that exist are {known}", known = KINDS.join(", "))]
    UnknownKind {
        /// What was found.
        found: String,
    },
}

impl Table {
    /// The rules of the table.
    ///
    /// # Errors
    /// Names what was found and what to write instead.
    pub fn rules(self) -> Result<Rules, RuleError> {
        let regex = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|error| RuleError::Pattern { pattern: pattern.to_owned(), why: error.to_string() })
        };
        if let Some(found) = self.off.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(RuleError::UnknownKind { found: found.clone() });
        }
        let mut patterns = Vec::new();
        for rule in self.rule {
            let named = !rule.kind.is_empty()
                && rule
                    .kind
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !named {
                return Err(RuleError::Kind(rule.kind));
            }
            patterns.push((rule.kind, regex(&rule.pattern)?));
        }
        Ok(Rules {
            off: self.off,
            fields: self.fields,
            allow_fields: self.allow_fields,
            patterns,
            allow: self.allow.iter().map(|pattern| regex(pattern)).collect::<Result<_, _>>()?,
        })
    }
}

impl Rules {
    /// Whether a pattern allows the whole of this text.
    pub fn allows(&self, text: &str) -> bool {
        self.allow.iter().any(|allowed| {
            allowed.find(text).is_some_and(|found| found.start() == 0 && found.end() == text.len())
        })
    }
}
