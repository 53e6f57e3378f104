//! Stock observers that look at what was recorded: claims without an effect, and a pass that took a retry.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::log::format::{Level, LogRecord};

/// Words by which a line claims that something has been done.
const DONE: [&str; 16] = [
    "booked",
    "cancelled",
    "captured",
    "charged",
    "created",
    "debited",
    "delivered",
    "paid",
    "published",
    "refunded",
    "reserved",
    "saved",
    "sent",
    "shipped",
    "stored",
    "written",
];

/// Words after which it is no claim.
const NOT: [&str; 12] =
    ["not", "no", "never", "fail", "refus", "denied", "reject", "skip", "would", "error", "retry", "undo"];

/// Looks at what a test recorded.
pub fn observe(inner: &Inner, records: &[LogRecord<'_>], passed: bool) {
    claims(inner, records);
    if passed && inner.start.attempt > 1 {
        let attempt = inner.start.attempt;
        let finding = Finding::new(FindingType::Reliability, "the test passed only when it was run again")
            .severity(Severity::Medium)
            .rule("runtime.retry_passed")
            .description(format!(
                "It is attempt {attempt}: the attempts before were red, with the same code. A retry does not turn red to green: something \
                 is wrong now and then."
            ))
            .evidence("attempts", "as the runner counts them", json!({ "attempt": attempt }));
        inner.file(finding, "runtime", None);
    }
}

/// The log says that something was done, and no ledger of the test knows of it.
fn claims(inner: &Inner, records: &[LogRecord<'_>]) {
    let mut done: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ledger in inner.background.ledgers() {
        done.entry(ledger.name().to_owned()).or_default().extend(ledger.recorded_keys());
    }
    if done.is_empty() {
        return;
    }
    let declared = declared(&done, records);
    let said = || {
        let of_test = |record: &&LogRecord<'_>| {
            record.level == Some(Level::Info) && record.target != "stageflow_stress"
        };
        records.iter().filter(of_test).map(|record| &*record.message)
    };
    let unknown = if declared.is_empty() { in_words(&done, said()) } else { Vec::new() };
    let found = declared.into_iter().map(|what| (what, Severity::High));
    for ((ledger, key, line), severity) in
        found.chain(unknown.into_iter().map(|what| (what, Severity::Medium))).take(10)
    {
        let finding = Finding::new(
            FindingType::SilentFailure,
            format!("the log claims an effect on `{ledger}` that did not happen"),
        )
        .severity(severity)
        .rule("runtime.claim_without_effect")
        .key(format!("{ledger} {line}"))
        .description(format!("The log says of `{key}`: {line}\n\nThe ledger `{ledger}` has no such effect."))
        .evidence(
            "side effects",
            "what was claimed",
            json!({ "ledger": ledger, "key": key, "line": line }),
        );
        inner.file(super::verdict::with_log(inner, finding), "runtime", None);
    }
}

type Claim = (String, String, String);

/// Records with the fields `effect` (a ledger) and perhaps `key`: there must be as many effects as claims.
fn declared(done: &BTreeMap<String, Vec<String>>, records: &[LogRecord<'_>]) -> Vec<Claim> {
    let mut claimed: BTreeMap<(String, Option<String>), (usize, String)> = BTreeMap::new();
    for record in records {
        let field = |name: &str| {
            record
                .fields
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.trim_matches('"').to_owned())
        };
        if let Some(ledger) = field("effect").filter(|ledger| done.contains_key(ledger)) {
            let claim = claimed.entry((ledger, field("key"))).or_insert((0, record.message.to_string()));
            claim.0 += 1;
        }
    }
    claimed
        .into_iter()
        .filter(|((ledger, key), (times, _))| {
            let effects = done[ledger].iter().filter(|effect| key.as_ref().is_none_or(|key| *effect == key));
            effects.count() < *times
        })
        .map(|((ledger, key), (_, line))| (ledger, key.unwrap_or_else(|| "any key".to_owned()), line))
        .collect()
}

/// Lines such as `charged order-7`, where a ledger has `order-3` and no `order-7`: the form of a key is known, digits aside.
fn in_words<'m>(done: &BTreeMap<String, Vec<String>>, messages: impl Iterator<Item = &'m str>) -> Vec<Claim> {
    let mut forms: BTreeMap<String, &str> = BTreeMap::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for (ledger, keys) in done {
        for key in keys {
            known.insert(key);
            // A key without letters or without digits has no form that could be told from other words.
            if key.chars().any(char::is_numeric) && key.chars().filter(|c| c.is_alphabetic()).count() >= 3 {
                forms.insert(form(key), ledger);
            }
        }
    }
    let mut found: Vec<Claim> = Vec::new();
    for message in messages {
        let lower = message.to_lowercase();
        let words = || lower.split(|c: char| !c.is_alphanumeric());
        let claims = words().any(|word| DONE.contains(&word));
        if !claims || words().any(|word| NOT.iter().any(|not| word.starts_with(not))) {
            continue;
        }
        for token in
            message.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | ':' | '.' | '#'))
        {
            let token = token.trim_end_matches(['.', ':']);
            if let Some(ledger) = forms.get(&form(token))
                && !known.contains(token)
            {
                found.push(((*ledger).to_owned(), token.to_owned(), message.to_owned()));
            }
        }
    }
    found
}

/// A text with its runs of digits as one sign.
fn form(text: &str) -> String {
    let mut form = String::new();
    for letter in text.chars() {
        match letter.is_ascii_digit() {
            false => form.push(letter),
            true if form.ends_with('\u{1}') => {}
            true => form.push('\u{1}'),
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> BTreeMap<String, Vec<String>> {
        BTreeMap::from([("charges".to_owned(), vec!["order-1".to_owned(), "order-2".to_owned()])])
    }

    fn found(messages: &[&str]) -> Vec<String> {
        in_words(&ledger(), messages.iter().copied()).into_iter().map(|(_, key, _)| key).collect()
    }

    #[test]
    fn a_claim_in_words_needs_a_known_form_and_a_word_that_it_is_done() {
        assert_eq!(found(&["charged order-1", "charged order-2."]), [""; 0]);
        assert_eq!(found(&["charged order-7"]), ["order-7"]);
        assert_eq!(found(&["order-8 was paid"]), ["order-8"]);
        for none in [
            "order-7 was not charged",
            "refused: order-7 would be charged",
            "looking at order-7",
            "failed: order-7 charged twice",
            "charged customer-7",
        ] {
            assert_eq!(found(&[none]), [""; 0], "{none}");
        }
    }
}
