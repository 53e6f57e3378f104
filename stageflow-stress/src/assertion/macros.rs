//! The four macros. Each registers its place when the program is linked and counts a hit when it is run.

/// Asserts that the condition holds each time, and that some test of the invocation comes here.
///
/// The condition is evaluated once, whether or not a test is active. A violation does not end the test: it is a finding,
/// which makes the test red by the severity of its findings. The name is a literal: it is part of the finding's identity.
///
/// ```
/// # let (sent, acknowledged) = (3, 3);
/// stageflow_stress::always!(acknowledged <= sent, "nothing is acknowledged that was not sent");
/// ```
#[macro_export]
macro_rules! always {
    ($condition:expr, $name:literal $(,)?) => {
        $crate::__stageflow_site!(Always, $condition, $name)
    };
    ($($other:tt)*) => {
        ::core::compile_error!("expected `always!(condition, \"name\")` with a literal name")
    };
}

/// Asserts that the condition holds at least once in an invocation of the tests.
///
/// That it never did is a finding of medium severity in the run's report; no single test is red for it.
///
/// ```
/// # let attempts = 2;
/// stageflow_stress::sometimes!(attempts > 1, "a stage is retried");
/// ```
#[macro_export]
macro_rules! sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        $crate::__stageflow_site!(Sometimes, $condition, $name)
    };
    ($($other:tt)*) => {
        ::core::compile_error!("expected `sometimes!(condition, \"name\")` with a literal name")
    };
}

/// Asserts that some test of an invocation comes here.
///
/// ```
/// fn compensate() {
///     stageflow_stress::reachable!("a stage is undone");
/// }
/// # compensate();
/// ```
#[macro_export]
macro_rules! reachable {
    ($name:literal $(,)?) => {
        $crate::__stageflow_site!(Reachable, true, $name)
    };
    ($($other:tt)*) => {
        ::core::compile_error!("expected `reachable!(\"name\")` with a literal name")
    };
}

/// Asserts that no test comes here. Unlike `core::unreachable!` it does not panic: the program goes on.
///
/// Write it with its path, or import it under another name, where the macro of the standard library is used too.
///
/// ```
/// # let lost = 0;
/// if lost > 0 {
///     stageflow_stress::unreachable!("an output is lost");
/// }
/// ```
#[macro_export]
macro_rules! unreachable {
    ($name:literal $(,)?) => {
        $crate::__stageflow_site!(Unreachable, false, $name)
    };
    ($($other:tt)*) => {
        ::core::compile_error!("expected `stageflow_stress::unreachable!(\"name\")` with a literal name")
    };
}

/// Registers a place and counts a hit.
#[doc(hidden)]
#[macro_export]
macro_rules! __stageflow_site {
    ($kind:ident, $condition:expr, $name:literal) => {
        // Outside of the block with the static: items have no hygiene, and the condition may name one like it.
        match $condition {
            held => {
                static SITE: $crate::__private::Site = $crate::__private::Site {
                    kind: $crate::__private::SiteKind::$kind,
                    name: $name,
                    module: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                };
                ::std::thread_local! {
                    static HITS: $crate::__private::SiteHits = const { $crate::__private::SiteHits::new() };
                }
                $crate::__private::inventory::submit! { $crate::__private::RegisteredSite(&SITE) }
                $crate::__private::Site::hit(&SITE, &HITS, held)
            }
        }
    };
}
