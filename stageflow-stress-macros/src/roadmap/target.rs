//! The measurable target that a title carries.
//!
//! ```text
//! target  = title "(" measure ")"            at the end of the title
//!         | title "under" load               at the end of the title
//! measure = comparison number [unit] [what]  `>99% recall`, `<500ms target`, `>0.95 AUC`
//!         | number "+" [unit] what           `500+ parallel stages`: at least
//!         | number ("%" | "TPS") [what]      `5000 TPS`, `40% reduction`: at least
//! load    = number "%" what                  `50% node drop`: at least, to be borne
//!         | number kind what                 `1000 concurrent DAGs`: at least, to be borne
//!         | number time                      `200 ms`: below
//! kind    = "concurrent" | "parallel" | "sequential" | "simultaneous"
//! ```
//! A number without a unit is a count, or a score if it has a decimal point and is at most 1. Where a measure does not
//! say what it measures, the title in front of it does. Everything else is no target: `(429 responses)`, `5G`,
//! `(Section 508)`, `P50/P95/P99`.

/// What [`parse`] finds. The names are those of the library's enums.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    /// What is measured.
    pub(crate) quantity: String,
    /// Variant of `Comparison`.
    pub(crate) comparison: &'static str,
    /// The number, in `unit`.
    pub(crate) value: f64,
    /// Variant of `Unit`.
    pub(crate) unit: &'static str,
}

/// Spelling, variant of `Unit`, and how many of that unit one is. A longer spelling comes before its beginning.
const UNITS: &[(&str, &str, f64)] = &[
    ("%", "Percent", 1.0),
    ("MB/1000 turns", "MegabytesPer1000Turns", 1.0),
    ("MB", "Megabytes", 1.0),
    ("GB", "Megabytes", 1_000.0),
    ("ms", "Milliseconds", 1.0),
    ("s", "Seconds", 1.0),
    ("min", "Seconds", 60.0),
    ("TPS", "PerSecond", 1.0),
];
const COMPARISONS: &[(&str, &str)] =
    &[(">=", "AtLeast"), ("≥", "AtLeast"), ("<=", "AtMost"), ("≤", "AtMost"), (">", "Above"), ("<", "Below")];
const KINDS: &[&str] = &["concurrent", "parallel", "sequential", "simultaneous"];

/// The target of a title, if it carries one.
pub(crate) fn parse(title: &str) -> Option<Target> {
    let title = title.trim();
    if let Some((head, inside)) = title.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')) {
        return measure(head, inside);
    }
    let (head, load_text) = title.rsplit_once(" under ")?;
    load(head, load_text)
}

fn measure(head: &str, text: &str) -> Option<Target> {
    let (comparison, text) = COMPARISONS
        .iter()
        .find_map(|(sign, name)| text.trim().strip_prefix(sign).map(|rest| (Some(*name), rest.trim_start())))
        .unwrap_or((None, text.trim()));
    let number = Number::parse(text)?;
    let unit = number.unit()?;
    let comparison = match (comparison, number.plus) {
        (Some(comparison), false) => comparison,
        (None, true) if unit.is_some() || !number.what.is_empty() => "AtLeast",
        (None, false) if unit.is_some_and(|unit| matches!(unit, "Percent" | "PerSecond")) => "AtLeast",
        _ => return None,
    };
    let unit = unit.or_else(|| number.plain_unit())?;
    Some(Target { quantity: number.quantity(head)?, comparison, value: number.value, unit })
}

fn load(head: &str, text: &str) -> Option<Target> {
    let number = Number::parse(text.trim())?;
    let (comparison, unit) = match (number.unit()?, number.what.split(' ').next()?) {
        _ if number.plus => return None,
        (Some("Percent"), what) if !what.is_empty() => ("AtLeast", "Percent"),
        (Some(unit @ ("Milliseconds" | "Seconds")), "") => ("Below", unit),
        (None, kind) if KINDS.contains(&kind) => ("AtLeast", number.plain_unit()?),
        _ => return None,
    };
    Some(Target { quantity: number.quantity(head)?, comparison, value: number.value, unit })
}

/// A number and what follows it.
struct Number<'a> {
    value: f64,
    fraction: bool,
    plus: bool,
    /// `None`: letters that are no unit touch the number, as in `5G`.
    unit: Option<Option<&'static str>>,
    what: &'a str,
}

impl<'a> Number<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
        let digits = &text[..end];
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.ends_with(['.', ',']) {
            return None;
        }
        let mut value: f64 = digits.replace(',', "").parse().ok()?;
        let (plus, rest) = match text[end..].strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, &text[end..]),
        };
        let mut unit = (rest.is_empty() || rest.starts_with(' ')).then_some(None);
        let mut what = rest.trim();
        for (spelling, name, factor) in UNITS {
            if let Some(tail) = what.strip_prefix(spelling)
                && (tail.is_empty() || tail.starts_with(' '))
            {
                unit = Some(Some(*name));
                value *= factor;
                what = tail.trim();
                break;
            }
        }
        let what = what.strip_suffix("target").map_or(what, str::trim_end);
        Some(Number { value, fraction: digits.contains('.'), plus, unit, what })
    }

    fn unit(&self) -> Option<Option<&'static str>> {
        self.unit
    }

    /// The unit of a number that names none.
    fn plain_unit(&self) -> Option<&'static str> {
        match self.fraction {
            false => Some("Count"),
            true if self.value <= 1.0 => Some("Score"),
            true => None,
        }
    }

    /// What is measured: the words after the number, else the title in front of it.
    fn quantity(&self, head: &str) -> Option<String> {
        if !self.what.is_empty() {
            return Some(self.what.to_owned());
        }
        let head = head.trim();
        let first_word = head.split([' ', '-']).next().unwrap_or(head);
        let mut letters = first_word.chars();
        let initial = letters.next()?;
        // `Session` is a word at the start of a sentence; `BFT` and `ContextSnapshot` are names.
        Some(if letters.all(|letter| !letter.is_uppercase()) {
            initial.to_lowercase().chain(head.chars().skip(1)).collect()
        } else {
            head.to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(title: &str) -> Option<String> {
        parse(title).map(|t| format!("{} {} {} {}", t.quantity, t.comparison, t.value, t.unit))
    }

    /// Exactly these built-in entries carry a target, and exactly this one.
    #[test]
    fn fifteen_built_in_entries_carry_a_target() {
        let found: Vec<_> = crate::roadmap::builtin()
            .iter()
            .filter_map(|row| Some(format!("{}: {}", row.id, shown(&row.title)?)))
            .collect();
        assert_eq!(
            found,
            [
                "CORE-002: ContextSnapshot serialization under load Above 100 Megabytes",
                "DAG-005: parallel stages AtLeast 500 Count",
                "DAG-006: sequential stages AtLeast 1000 Count",
                "GUARD-003: recall Above 99 Percent",
                "K8S-001: concurrent DAGs AtLeast 1000 Count",
                "SERVERLESS-001: cold start latency Below 500 Milliseconds",
                "AIRGAP-001: node drop AtLeast 50 Percent",
                "MULTIREGION-001: ContextSnapshot convergence Below 1 Seconds",
                "FIN-001: high-frequency fraud detection AtLeast 5000 PerSecond",
                "HEALTH-006: recall Above 99.9 Percent",
                "GAME-002: real-time response latency Below 100 Milliseconds",
                "GAME-003: session memory bounds Below 5 MegabytesPer1000Turns",
                "TELECOM-002: reduction AtLeast 40 Percent",
                "BIO-003: node fan-out AtLeast 100 Count",
                "LEGAL-002: AUC Above 0.95 Score",
            ]
        );
    }

    #[test]
    fn numbers_that_are_no_target_are_left_alone() {
        for title in [
            "5G edge computing integration",
            "Accessibility (Section 508)",
            "SOC 2 control validation",
            "P50/P95/P99 latency profiles",
            "Latency injection (p95 impact)",
            "Rate limit handling (429 responses)",
            "Compatibility (5G)",
            "Sessions (500ms)",
            "Sales to people under 18 years",
            "Behaviour under load",
            "Versions (1.2.3)",
            "Ratio (>1.5)",
            "Sizes (>500+ rows)",
            "Unbalanced )",
            "(",
            "",
        ] {
            assert_eq!(shown(title), None, "{title}");
        }
    }

    #[test]
    fn other_titles_of_a_project() {
        for (title, expected) in [
            ("Checkout (<= 1,500 ms)", "checkout AtMost 1500 Milliseconds"),
            ("Checkout latency under 200 ms", "checkout latency Below 200 Milliseconds"),
            ("Import (<2 min target)", "import Below 120 Seconds"),
            ("Import (≥ 2 GB)", "import AtLeast 2000 Megabytes"),
            ("Basket (>3 items)", "items Above 3 Count"),
            ("(>3 items)", "items Above 3 Count"),
        ] {
            assert_eq!(shown(title).as_deref(), Some(expected), "{title}");
        }
    }
}
