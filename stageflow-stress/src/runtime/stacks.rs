//! The stacks of threads in a diagnosis, with the feature `stacks`.

use serde_json::Value;

use crate::context::Inner;

/// Writes the user's part of a thread's stack below the thread's line and gives the whole of it, innermost frame first.
///
/// `None` without the feature, and where there is nothing to ask.
#[cfg(all(feature = "stacks", target_os = "linux"))]
pub fn describe(thread: u32, inner: &Inner, text: &mut String) -> Option<Value> {
    use super::frames::is_user;
    use std::fmt::Write as _;
    use std::time::Duration;

    /// A thread that is asleep in the kernel is woken by the signal at once; one that waits for a processor takes a while.
    const ANSWER: Duration = Duration::from_millis(500);

    let frames = match crate::sys::stack_of(thread, ANSWER) {
        Ok(frames) => frames,
        Err(why) => {
            let _ = write!(text, "\n    no stack: {why}");
            return Some(Value::from(why));
        }
    };
    let mut shown = Vec::new();
    for (function, file, line) in &frames {
        let file = std::path::Path::new(file);
        let file = file.strip_prefix(&inner.root).unwrap_or(file).display().to_string();
        if file.is_empty() {
            shown.push(Value::from(function.as_str()));
            continue;
        }
        shown.push(Value::from(format!("{function} at {file}:{line}")));
        if is_user(function, &file) {
            let _ = write!(text, "\n    at {file}:{line} in {function}");
            if let Some(source) = inner.source_line(&file, *line) {
                let _ = write!(text, ": `{source}`");
            }
        }
    }
    Some(Value::from(shown))
}

#[cfg(not(all(feature = "stacks", target_os = "linux")))]
pub fn describe(_: u32, _: &Inner, _: &mut String) -> Option<Value> {
    None
}
