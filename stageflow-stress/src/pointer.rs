//! Steps of JSON pointers (RFC 6901).

/// A key as a step of a pointer, with what has a meaning there escaped.
pub(crate) fn pointer_step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
