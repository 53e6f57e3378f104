//! The user's part of a stack.

use std::backtrace::Backtrace;

/// The frames of a suspended future that are the user's, innermost first: function, file, line.
pub fn user_frames(trace: &Backtrace) -> Vec<(String, String, u32)> {
    parse(&trace.to_string())
}

fn parse(text: &str) -> Vec<(String, String, u32)> {
    let mut frames = Vec::new();
    let mut function = "";
    for line in text.lines().map(str::trim) {
        let Some(place) = line.strip_prefix("at ") else {
            function = line.split_once(": ").map_or(line, |(_, name)| name);
            if function.contains("traced_poll") {
                break;
            }
            continue;
        };
        // `file:line:column`
        let mut parts = place.rsplitn(3, ':');
        let (_, number, file) = (parts.next(), parts.next(), parts.next());
        if let (Some(number), Some(file)) = (number.and_then(|number| number.parse().ok()), file)
            && is_user(function, file)
        {
            let function = function.trim_end_matches("::{{closure}}").to_owned();
            frames.push((function, file.trim_start_matches("./").to_owned(), number));
        }
    }
    frames
}

/// Whether a frame is the user's: not the standard library, not a dependency from a registry, not this library.
pub fn is_user(function: &str, file: &str) -> bool {
    !["/rustc/", "/rustlib/", "/registry/src/"].iter().any(|part| file.contains(part))
        && !function.contains("stageflow_stress::")
        // Without full debug information the name does not tell.
        && !file.starts_with(concat!(env!("CARGO_MANIFEST_DIR"), "/src/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_frames_below_the_poll_are_kept() {
        let text = "   0: std::backtrace::Backtrace::create\n             at /rustc/1/library/std/src/backtrace.rs:331:13\n\
                    \x20  1: stageflow_stress::sys::waker::clone\n             at ./src/sys/waker.rs:40:5\n\
                    \x20  2: tokio::sync::notify::Notified::poll\n             at /home/u/.cargo/registry/src/i/tokio/src/a.rs:9:1\n\
                    \x20  3: it::inner::{{closure}}\n             at ./tests/it.rs:12:30\n\
                    \x20  4: it::outer::{{closure}}\n             at ./tests/it.rs:20:13\n\
                    \x20  5: stageflow_stress::sys::waker::traced_poll\n             at ./src/sys/waker.rs:33:18\n\
                    \x20  6: it::main\n             at ./tests/it.rs:1:1\n";
        assert_eq!(
            parse(text),
            [
                ("it::inner".to_owned(), "tests/it.rs".to_owned(), 12),
                ("it::outer".to_owned(), "tests/it.rs".to_owned(), 20)
            ]
        );
    }
}
