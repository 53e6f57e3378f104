//! File names for tests.

use std::time::SystemTime;

/// A file name stem for a path: letters, digits, `.`, `_` and `-` only, at most 129 bytes, distinct for distinct paths.
///
/// `::` becomes `__`. Wherever that would lose information, eight hexadecimal digits of a hash of the path follow.
pub fn slug(path: &str) -> String {
    const LIMIT: usize = 120;
    let replaced = path.replace("::", "__");
    let mut text: String = replaced
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(LIMIT)
        .collect();
    let ambiguous = text != replaced || path.contains("__") || text.starts_with('.');
    if ambiguous {
        let digest = hmac_sha256::Hash::hash(path.as_bytes());
        text = text.trim_start_matches('.').to_owned();
        text.push('-');
        text.extend(digest[..4].iter().map(|byte| format!("{byte:02x}")));
    }
    text
}

/// The time as a part of a file name: `20260114T090000.123Z`.
pub fn file_time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_stay_readable() {
        assert_eq!(slug("pipeline::fan_out::dag_005"), "pipeline__fan_out__dag_005");
        assert_eq!(file_time(SystemTime::UNIX_EPOCH), "19700101T000000.000Z");
    }

    #[test]
    fn paths_that_would_collide_stay_apart_and_nothing_leaves_the_folder() {
        assert_ne!(slug("a::b"), slug("a__b"));
        assert_ne!(slug("ä"), slug("ö"));
        let long = "x".repeat(400);
        assert!(slug(&long).len() <= 129);
        assert_ne!(slug(&long), slug(&"x".repeat(401)));
        for hostile in ["../../etc/passwd", ".", "..", "a/b", "C:\\x"] {
            let name = slug(hostile);
            assert!(!name.contains(['/', '\\', ':']) && !name.starts_with('.'), "{name}");
        }
    }
}
