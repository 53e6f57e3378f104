//! The identity of a finding: `sfp1:` and 32 hexadecimal digits. `docs/fingerprint.md` defines it byte for byte.

use hmac_sha256::Hash;

use super::mask::mask;
use super::model::Finding;

/// Version and prefix of the fingerprints that this library makes.
pub const PREFIX: &str = "sfp1";

/// The fingerprint of a finding that was made under a roadmap entry.
///
/// It covers what the finding *is* (entry, type, rule, component, place in the code, subject, message without its
/// values) and nothing that differs between two sightings of the same defect: severity, status, line numbers, times,
/// seeds, processes, counts.
///
/// ```
/// use stageflow_stress::finding::fingerprint;
/// use stageflow_stress::{Finding, Severity};
///
/// let seen = fingerprint("DAG-005", &Finding::bug("lost 2 of 500 outputs").severity(Severity::High));
/// let again = fingerprint("DAG-005", &Finding::bug("lost 17 of 500 outputs").severity(Severity::Low));
/// assert_eq!(seen, again);
/// assert!(seen.starts_with("sfp1:"));
/// ```
#[must_use]
pub fn fingerprint(entry: &str, finding: &Finding) -> String {
    let component = finding.component.as_deref().unwrap_or_default().trim().to_lowercase();
    let template = mask(&finding.title);
    let mut hash = Hash::new();
    for field in [
        PREFIX,
        entry,
        finding.kind.as_str(),
        &finding.rule,
        &component,
        &finding.locator,
        finding.key.as_deref().unwrap_or_default(),
        &template,
    ] {
        add(&mut hash, field);
    }
    let source = finding.source_line.as_deref().map(collapse).unwrap_or_default();
    if !source.is_empty() {
        add(&mut hash, &source);
    }
    let digest = hash.finalize();
    let mut text = String::with_capacity(PREFIX.len() + 33);
    text.push_str(PREFIX);
    text.push(':');
    for byte in &digest[..16] {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

/// Whether a text has the form of a fingerprint of this version.
#[must_use]
pub fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(':')).is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The length goes first: without it, `("ab", "c")` and `("a", "bc")` would hash alike.
fn add(hash: &mut Hash, field: &str) {
    hash.update((field.len() as u64).to_be_bytes());
    hash.update(field.as_bytes());
}

/// Source text without the differences that a formatter makes within a line.
fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::classify::Severity;
    use crate::finding::model::FindingType;

    fn sample() -> Finding {
        let mut finding = Finding::bug("lost 2 of 500 outputs")
            .rule("check")
            .key("every output of 500 merged")
            .component(" ContextBag ");
        finding.locator = "pipeline::fan_out".to_owned();
        finding
    }

    /// Written from `docs/fingerprint.md` alone: builds the whole message first and hashes it with another library.
    fn from_the_document(fields: &[&str]) -> String {
        let mut message = Vec::new();
        for field in fields {
            let length = field.len();
            message.extend((0..8).rev().map(|byte| if byte < 4 { (length >> (8 * byte)) as u8 } else { 0 }));
            message.extend_from_slice(field.as_bytes());
        }
        let digest = format!("{:x}", Sha256::digest(&message));
        format!("sfp1:{}", &digest[..32])
    }

    #[test]
    fn vectors_are_pinned() {
        let mut with_source = sample();
        with_source.source_line = Some("  assert_eq!(a,\t 500); ".to_owned());
        let plain = Finding::new(FindingType::Strength, "clear errors");
        let got = [
            fingerprint("DAG-005", &sample()),
            fingerprint("DAG-005", &with_source),
            fingerprint("LLM-REASON-001", &plain),
        ];
        // Computed outside of Rust as well, with another implementation of SHA-256.
        assert_eq!(got[0], "sfp1:5262f671323fdbf5b09e57921559cf8d");
        assert_eq!(got[1], "sfp1:c0b3f1702b3d84a1bfe983bd17bac28c");
        assert_eq!(got[2], "sfp1:dad7d604ed9d340641ccc832fc0eab4c");
    }

    #[test]
    fn an_independent_encoder_agrees() {
        let fields = [
            "sfp1",
            "DAG-005",
            "bug",
            "check",
            "contextbag",
            "pipeline::fan_out",
            "every output of 500 merged",
        ];
        let expected = from_the_document(&[&fields[..], &["lost <*> of <*> outputs"]].concat());
        assert_eq!(fingerprint("DAG-005", &sample()), expected);

        let mut with_source = sample();
        with_source.source_line = Some("assert_eq!(a,\n 500);".to_owned());
        let expected =
            from_the_document(&[&fields[..], &["lost <*> of <*> outputs", "assert_eq!(a, 500);"]].concat());
        assert_eq!(fingerprint("DAG-005", &with_source), expected);
    }

    #[test]
    fn every_included_field_changes_it() {
        let base = fingerprint("DAG-005", &sample());
        let mut others = vec![fingerprint("DAG-006", &sample())];
        let mut change = |edit: fn(&mut Finding)| {
            let mut finding = sample();
            edit(&mut finding);
            others.push(fingerprint("DAG-005", &finding));
        };
        change(|f| f.kind = FindingType::SilentFailure);
        change(|f| f.rule = "golden".to_owned());
        change(|f| f.component = Some("StageGraph".to_owned()));
        change(|f| f.component = None);
        change(|f| f.locator = "pipeline::fan_in".to_owned());
        change(|f| f.key = Some("every output of 400 merged".to_owned()));
        change(|f| f.key = None);
        change(|f| f.title = "kept 2 of 500 outputs".to_owned());
        change(|f| f.source_line = Some("assert_eq!(a, 500);".to_owned()));
        change(|f| f.source_line = Some("assert_eq!(a, 400);".to_owned()));
        others.push(base);
        let count = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), count, "two different findings share a fingerprint");
    }

    #[test]
    fn nothing_else_changes_it() {
        let base = fingerprint("DAG-005", &sample());
        let mut same = sample()
            .severity(Severity::Critical)
            .description("other")
            .tag("seed-7")
            .step("x")
            .code_snippet("cargo test -- --seed 7")
            .impact("y")
            .recommend("z")
            .related_to("CORE-001-BUG-001")
            .evidence("d", "seen 3 times", serde_json::json!({ "at": "2026-01-14T09:00:00Z" }))
            .attach("log", "results/logs/a.log", "log");
        same.location = Some("src/lib.rs:99".to_owned());
        same.title = "  lost  17 of\n1,000 outputs ".to_owned();
        same.component = Some("CONTEXTBAG".to_owned());
        same.source_line = Some("   ".to_owned());
        assert_eq!(fingerprint("DAG-005", &same), base);
    }

    #[test]
    fn moving_text_between_fields_changes_it() {
        let make = |rule: &str, key: Option<&str>, title: &str, source: Option<&str>| {
            let mut finding = Finding::bug(title).rule(rule);
            finding.key = key.map(str::to_owned);
            finding.source_line = source.map(str::to_owned);
            fingerprint("DAG-005", &finding)
        };
        assert_ne!(make("ab", None, "c", None), make("a", None, "bc", None));
        assert_ne!(make("a", Some("bc"), "d", None), make("a", Some("b"), "cd", None));
        assert_ne!(make("a", None, "b c", None), make("a", None, "b", Some("c")));
        assert_ne!(make("ab", None, "t", None), make("a", Some("b"), "t", None));
    }

    #[test]
    fn the_form_is_checked() {
        assert!(is_fingerprint(&fingerprint("DAG-005", &sample())));
        for wrong in
            ["", "sfp1:", "sfp2:00112233445566778899aabbccddeeff", "sfp1:00112233445566778899AABBCCDDEEFF"]
        {
            assert!(!is_fingerprint(wrong), "{wrong}");
        }
    }
}
