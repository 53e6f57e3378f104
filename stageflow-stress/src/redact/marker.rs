//! What stands in the place of a redacted text.

use std::sync::OnceLock;

use hmac_sha256::HMAC;

const OPEN: &str = "{{REDACTED:";
const CLOSE: &str = "}}";

static KEY: OnceLock<Vec<u8>> = OnceLock::new();

/// Uses this key, unless one is used already: a process has one.
pub fn use_key(key: &[u8]) {
    let _ = KEY.set(key.to_vec());
}

/// A key that nobody can guess.
pub fn new_key() -> [u8; 32] {
    // Each has 74 random bits.
    let uuids = [(); 4].map(|()| uuid::Uuid::now_v7());
    let bytes: Vec<u8> = uuids.iter().flat_map(|uuid| uuid.as_bytes()).copied().collect();
    HMAC::mac(&bytes, b"stageflow-stress redaction key")
}

/// The marker for a text of this kind.
pub fn marker(kind: &str, text: &str) -> String {
    let key = KEY.get_or_init(|| new_key().to_vec());
    // A card is the same one however its digits are grouped.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let hash = HMAC::mac(if kind == "card" { &digits } else { text }.as_bytes(), key);
    let hash: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{OPEN}{kind}:{hash}{CLOSE}")
}

/// The marker that a text begins with.
pub fn marker_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(OPEN)?;
    let kind = rest.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))?;
    let rest = rest[kind..].strip_prefix(':').filter(|_| kind > 0)?;
    let (hash, rest) = rest.split_at_checked(8)?;
    let hex = hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let rest = rest.strip_prefix(CLOSE).filter(|_| hex)?;
    Some(&text[..text.len() - rest.len()])
}
