//! Words to the person at the terminal that must not be swallowed.

/// Prints a line to standard error past libtest's capture, which shows what a test printed only where the test is red:
/// that something could not be recorded matters most where everything is green.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        // Nobody is left to be told if standard error is gone.
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}
pub(crate) use say;
