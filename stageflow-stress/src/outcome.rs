//! What a test body returns.

use std::any::Any;
use std::fmt;
use std::panic::Location;

/// The result of a test body: `Ok(())`, or a [`Failure`] that `?` makes of any error.
///
/// ```
/// use stageflow_stress::Outcome;
///
/// fn parse(text: &str) -> Outcome {
///     let number: u32 = text.parse()?;
///     assert!(number > 0);
///     Ok(())
/// }
/// assert!(parse("x").unwrap_err().to_string().contains("invalid digit"));
/// ```
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a test body did not succeed: an error with its chain of causes, or a skip with its reason.
///
/// Any `std::error::Error` becomes a `Failure` through `?`, which also records the line.
/// Deliberately not an `Error` itself, so that this conversion can exist.
pub struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) debug: Option<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) location: Option<&'static Location<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Error,
    Skip,
}

impl Failure {
    /// A failure with a message of its own.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Failure {
            kind: FailureKind::Error,
            message: message.into(),
            debug: None,
            causes: Vec::new(),
            location: Some(Location::caller()),
        }
    }

    /// The test could not run here, and why. A skip is counted and printed; it is never a pass.
    #[track_caller]
    pub fn skip(reason: impl Into<String>) -> Self {
        Failure { kind: FailureKind::Skip, ..Failure::new(reason) }
    }

    /// Whether this is a skip.
    #[must_use]
    pub fn is_skip(&self) -> bool {
        self.kind == FailureKind::Skip
    }

    /// The chain of causes below the message, outermost first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// The line that returned the error, where it is known.
    #[must_use]
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        if let Some(location) = self.location {
            write!(f, " (at {location})")?;
        }
        Ok(())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Failure {
            kind: FailureKind::Error,
            message: error.to_string(),
            debug: Some(format!("{error:?}")),
            causes,
            location: Some(Location::caller()),
        }
    }
}

/// What a test body may return: `()`, `Result<(), E>` with `E: Debug`, or [`Outcome`].
#[diagnostic::on_unimplemented(
    message = "a roadmap test cannot return `{Self}`",
    label = "return `()`, `Outcome`, or `Result<(), E>` where `E: Debug`"
)]
pub trait IntoOutcome {
    /// Turns the returned value into an [`Outcome`].
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Ok(())
    }
}

impl<E: fmt::Debug + 'static> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Outcome {
        self.map_err(|error| {
            let debug = format!("{error:?}");
            let boxed: Box<dyn Any> = Box::new(error);
            match boxed.downcast::<Failure>() {
                Ok(failure) => *failure,
                Err(_) => Failure {
                    kind: FailureKind::Error,
                    message: debug.clone(),
                    debug: Some(debug),
                    causes: Vec::new(),
                    location: None,
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_mark_keeps_the_causes_and_the_line() {
        fn body() -> Outcome {
            String::from_utf8(vec![0xff])?;
            Ok(())
        }
        let failure = body().unwrap_err();
        assert!(failure.to_string().contains("invalid utf-8"));
        assert!(failure.location().unwrap().file().ends_with("outcome.rs"));
    }

    #[test]
    fn a_skip_survives_the_conversion() {
        let returned: Result<(), Failure> = Err(Failure::skip("no GPU here"));
        let failure = returned.into_outcome().unwrap_err();
        assert!(failure.is_skip());
        assert_eq!(failure.to_string(), "no GPU here");
    }

    #[test]
    fn any_debug_error_is_taken() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "read by Debug only")]
        struct Odd(u8);
        let returned: Result<(), Odd> = Err(Odd(3));
        assert_eq!(returned.into_outcome().unwrap_err().to_string(), "Odd(3)");
    }
}
