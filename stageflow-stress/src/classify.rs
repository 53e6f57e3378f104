//! The words by which tests and findings are classified: closed sets with one spelling each.

/// Defines an enum with a canonical text per variant, parsing, and serde through that text.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident : $what:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        $vis enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The canonical text, as written into files.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::classify::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| known.as_str().eq_ignore_ascii_case(text.trim()))
                    .ok_or_else(|| $crate::classify::UnknownWord {
                        what: $what,
                        found: text.to_owned(),
                        expected: Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "),
                    })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

/// A text that is none of the known values of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`; expected one of {expected}")]
#[non_exhaustive]
pub struct UnknownWord {
    /// What the text was meant to be, such as "severity".
    pub what: &'static str,
    /// The text that was found.
    pub found: String,
    /// The accepted texts, separated by commas.
    pub expected: String,
}

words! {
    /// What a test looks at: the seven test categories of the procedure.
    pub enum Category: "category" {
        /// Does it produce the correct output?
        Correctness = "correctness",
        /// Does it handle failures gracefully?
        Reliability = "reliability",
        /// Does it meet latency and throughput targets?
        Performance = "performance",
        /// Does it resist attacks?
        Security = "security",
        /// Does it handle increased load?
        Scalability = "scalability",
        /// Can it be traced and debugged?
        Observability = "observability",
        /// Do errors go undetected?
        SilentFailures = "silent_failures",
    }
}

words! {
    /// The kind of pipeline that a test runs.
    pub enum PipelineKind: "pipeline kind" {
        /// Happy path, normal operation.
        Baseline = "baseline",
        /// High load, concurrent execution.
        Stress = "stress",
        /// Injected failures and edge cases.
        Chaos = "chaos",
        /// Security and safety testing.
        Adversarial = "adversarial",
        /// Failure recovery and rollback.
        Recovery = "recovery",
    }
}

words! {
    /// What decides right from wrong in a test.
    pub enum Oracle: "oracle" {
        #[doc = include_str!("../docs/checkers/bounds.md")]
        Bounds = "bounds",
        #[doc = include_str!("../docs/checkers/consistency.md")]
        Consistency = "consistency",
        #[doc = include_str!("../docs/checkers/cost.md")]
        Cost = "cost",
        #[doc = include_str!("../docs/checkers/durability.md")]
        Durability = "durability",
        #[doc = include_str!("../docs/checkers/idempotency.md")]
        Idempotency = "idempotency",
        #[doc = include_str!("../docs/checkers/observability.md")]
        Observability = "observability",
        #[doc = include_str!("../docs/checkers/permission.md")]
        Permission = "permission",
        #[doc = include_str!("../docs/checkers/schema.md")]
        Schema = "schema",
        #[doc = include_str!("../docs/checkers/security.md")]
        Security = "security",
        #[doc = include_str!("../docs/checkers/side-effect.md")]
        SideEffect = "side_effect",
        #[doc = include_str!("../docs/checkers/state-change.md")]
        StateChange = "state_change",
        #[doc = include_str!("../docs/checkers/timing.md")]
        Timing = "timing",
        #[doc = include_str!("../docs/checkers/trace.md")]
        Trace = "trace",
    }
}

words! {
    /// How bad a finding is. Ordered: `Info < Low < Medium < High < Critical`.
    pub enum Severity: "severity" {
        /// Observation or suggestion, not a defect.
        Info = "info",
        /// Minor issue, cosmetic, edge case.
        Low = "low",
        /// Functionality impaired, a workaround exists.
        Medium = "medium",
        /// Major functionality broken, no workaround.
        High = "high",
        /// Data loss, security breach, system crash.
        Critical = "critical",
    }
}

words! {
    /// Priority of a roadmap entry. `P0` comes first.
    pub enum Priority: "priority" {
        /// Critical.
        P0 = "P0",
        /// Important.
        P1 = "P1",
        /// Nice to have.
        P2 = "P2",
    }
}

words! {
    /// Risk class of a roadmap entry. Ordered: `Low < … < Catastrophic`.
    pub enum Risk: "risk class" {
        /// Inconvenience.
        Low = "Low",
        /// Limited harm.
        Moderate = "Moderate",
        /// Serious harm to one function.
        High = "High",
        /// Serious harm to the whole system.
        Severe = "Severe",
        /// Harm that cannot be undone.
        Catastrophic = "Catastrophic",
    }
}

words! {
    /// The five patterns of silent failure.
    pub enum Pattern: "silent-failure pattern" {
        /// An error or panic that nobody looks at.
        SwallowedException = "swallowed_exception",
        /// A default that stands in for a failure.
        IncorrectDefault = "incorrect_default",
        /// An operation that succeeds in part.
        PartialState = "partial_state",
        /// A conversion that loses information.
        LossyConversion = "lossy_conversion",
        /// Work in the background that fails unseen.
        AsyncFailure = "async_failure",
    }
}

impl Severity {
    /// How soon somebody answers for a finding of this severity.
    ///
    /// ```
    /// use stageflow_stress::Severity;
    /// assert_eq!(Severity::High.response(), "within 1 week");
    /// ```
    #[must_use]
    pub const fn response(self) -> &'static str {
        match self {
            Severity::Critical => "immediately",
            Severity::High => "within 1 week",
            Severity::Medium => "within 1 month",
            Severity::Low => "from the backlog",
            Severity::Info => "optional",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_in_any_case_and_name_what_is_accepted() {
        assert_eq!("HIGH".parse::<Severity>().unwrap(), Severity::High);
        assert_eq!(" catastrophic ".parse::<Risk>().unwrap(), Risk::Catastrophic);
        let error = "urgent".parse::<Severity>().unwrap_err().to_string();
        assert_eq!(error, "unknown severity `urgent`; expected one of info, low, medium, high, critical");
    }

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::Info < Severity::Low && Severity::High < Severity::Critical);
    }
}
