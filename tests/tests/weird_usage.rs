//! Uses that a macro easily gets wrong. Most of the test is that this file compiles without a warning.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]
#![expect(non_camel_case_types, reason = "names are hidden on purpose")]

extern crate stageflow_stress as st;

use stageflow_stress::{Outcome, TestContext, roadmap_test, silent_failure_probe};

/// Raw identifiers, in the function and in the argument.
mod raw {
    use super::*;

    #[roadmap_test("DAG-001")]
    fn r#type(r#fn: &TestContext) {
        let _ = r#fn;
    }

    #[roadmap_test("DAG-001")]
    async fn r#match() {}
}

/// The dependency under other names.
mod renamed {
    use super::*;

    #[roadmap_test("DAG-002", crate = st)]
    fn by_extern_crate() {}

    #[roadmap_test("DAG-002", crate = ::stageflow_stress)]
    fn by_absolute_path() {}

    mod local {
        pub(super) use ::stageflow_stress as inner;
    }

    #[roadmap_test("DAG-002", crate = local::inner)]
    fn by_a_path_of_the_module() {}

    #[roadmap_test("DAG-002", crate = self::local::inner)]
    async fn by_self() -> Outcome {
        Ok(())
    }

    #[roadmap_test("DAG-002", crate = crate::st)]
    fn by_crate() {}

    #[silent_failure_probe(after = "DAG-002", crate = local::inner)]
    fn observer(_: &st::Evidence, _: &mut st::Findings) {}

    #[derive(st::Auditable)]
    #[audit(crate = local::inner)]
    #[expect(dead_code, reason = "only its snapshot is read")]
    struct Renamed {
        value: u8,
    }
}

/// Names of the standard library and of this one, taken by something else.
mod shadowed {
    use ::stageflow_stress::roadmap_test;

    pub(crate) struct Result;
    pub(crate) struct Option;
    pub(crate) struct Box;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) struct str;
    pub(crate) struct u8;
    pub(crate) struct u64;
    pub(crate) struct usize;
    pub(crate) enum Shadow {
        Ok,
        Err,
        Some,
        None,
    }
    pub(crate) use Shadow::*;
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod alloc {}
    pub(crate) mod inventory {}
    pub(crate) mod insta {}
    pub(crate) mod stageflow_stress {}
    macro_rules! assert_snapshot {
        () => {};
    }

    #[roadmap_test(
        "SERVERLESS-001",
        timeout = "3s",
        worker_threads = 2,
        seeds = 1..3,
        tags("shadow"),
        isolate(fds = 64, time = "1s")
    )]
    #[ignore = "compiled, not run"]
    async fn everything_is_hidden(cx: &::stageflow_stress::TestContext) -> ::stageflow_stress::Outcome {
        let _ = (cx, Result, Option, Box, String, Vec, str, u8, u64, usize);
        let _ = [Ok, Err, Some, None];
        assert_snapshot!();
        ::core::result::Result::Ok(())
    }

    #[roadmap_test("SERVERLESS-001")]
    fn plain() {}
}

/// Methods that would be ambiguous if generated code called them by name.
mod ambiguous {
    use super::*;

    #[expect(clippy::wrong_self_convention, reason = "the names are those that generated code calls")]
    trait Everything {
        fn into_outcome(&self) {}
        fn from_handle(&self) {}
        fn unwrap(&self) {}
        fn as_str(&self) {}
        fn into(&self) {}
        fn snapshot(&self) {}
        fn await_it(&self) {}
    }

    impl<T: ?Sized> Everything for T {}

    #[roadmap_test("DAG-003")]
    async fn calls_are_qualified(cx: &TestContext) -> Result<(), &'static str> {
        Everything::into_outcome(cx);
        Everything::from_handle(cx);
        Everything::unwrap(cx);
        Everything::as_str(cx);
        Everything::into(cx);
        Everything::snapshot(cx);
        Everything::await_it(cx);
        Ok(())
    }

    #[derive(stageflow_stress::Auditable)]
    #[expect(dead_code, reason = "only its snapshot is read")]
    struct Qualified {
        field: Vec<u8>,
        tuple: (),
    }
}

/// Types behind aliases, lifetimes, patterns and parentheses.
mod types {
    use super::*;

    type Context = TestContext;
    type Shared<'a> = &'a TestContext;
    type Answer = Result<(), Box<dyn std::error::Error>>;

    #[roadmap_test("DAG-004")]
    fn alias_of_the_context(_: &Context) -> Answer {
        Ok(())
    }

    #[roadmap_test("DAG-004")]
    async fn alias_of_the_reference(cx: Shared<'_>) -> Answer {
        let _ = cx;
        Ok(())
    }

    #[roadmap_test("DAG-004")]
    fn named_lifetime<'a>(cx: &'a TestContext) {
        let _: &'a TestContext = cx;
    }

    #[roadmap_test("DAG-004")]
    #[expect(unused_parens, reason = "that is the test")]
    async fn parentheses(mut _cx: (&(TestContext))) -> () {}

    #[roadmap_test("DAG-004")]
    #[expect(clippy::await_holding_lock, reason = "the stored future need not be `Send`")]
    async fn not_send(cx: &TestContext) -> Outcome {
        let held = std::rc::Rc::new(std::sync::Mutex::new(0));
        let guard = held.lock().map_err(|_| st::Failure::new("poisoned"))?;
        std::future::ready(cx).await;
        drop(guard);
        Ok(())
    }

    macro_rules! tests {
        ($($name:ident: $ty:ty => $ret:ty),*) => { $(
            #[roadmap_test("DAG-004")]
            fn $name(cx: $ty) -> $ret {
                let _ = cx;
                Ok(())
            }
        )* };
    }
    tests!(made_by_a_macro: &TestContext => Outcome, made_by_a_macro_too: &Context => Answer);
}

/// Conditions, `#[ignore]`, lint levels and other attributes.
mod attributes {
    use super::*;

    #[cfg(not(test))]
    #[roadmap_test("DAG-005")]
    fn not_compiled(nothing: DoesNotExist) {}

    #[roadmap_test("DAG-005")]
    #[cfg(not(test))]
    fn not_compiled_either(nothing: DoesNotExist) {}

    #[roadmap_test("DAG-005")]
    #[cfg(test)]
    fn compiled() {}

    #[roadmap_test("DAG-005")]
    #[cfg_attr(test, ignore = "on this platform")]
    fn ignored_by_condition() {
        panic!("an ignored test must not run");
    }

    #[ignore]
    #[roadmap_test("DAG-005")]
    fn ignored_from_above() {
        panic!("an ignored test must not run");
    }

    #[roadmap_test("DAG-005")]
    #[allow(non_snake_case)]
    fn CamelCase() {}

    #[roadmap_test("DAG-005")]
    #[inline(never)]
    #[must_use = "an odd attribute on a test"]
    fn attributes_stay() -> Outcome {
        #![allow(unused_variables)]
        let unused = 1;
        Ok(())
    }
}

/// Arguments in their other spellings.
mod spellings {
    use super::*;

    const WORKERS: usize = 1 + 2;

    #[roadmap_test(
        "DAG-006",
        category = stageflow_stress::Category::Performance,
        oracle = [Bounds, st::Oracle::Timing],
        requirement = "R-1",
        tags = ["a", "b"],
        worker_threads = WORKERS,
        start_paused = false,
        concurrent = false,
        determinism = "once",
        background_panics = "fail",
        flavor = "multi_thread",
        isolate(),
    )]
    #[ignore = "compiled, not run"]
    async fn spelled_out() {}
}

/// Other functions and modules of similar names.
mod neighbours {
    use super::*;

    mod dag_007 {
        pub(super) fn helper() {}
    }

    #[roadmap_test("DAG-007")]
    fn definition() {
        dag_007::helper();
    }

    #[roadmap_test("DAG-007")]
    fn case() {}

    #[roadmap_test("DAG-007")]
    fn handle(handle: &TestContext) {
        let _ = handle;
    }

    #[roadmap_test("DAG-008")]
    fn dag_008() {}

    /// A documented test that others can call.
    #[roadmap_test("DAG-008")]
    pub(crate) fn public() {
        deep::er::helper();
    }
}

mod deep {
    pub(super) mod er {
        use stageflow_stress::roadmap_test;

        #[roadmap_test("LLM-REASON-001")]
        pub(in crate::deep) fn restricted() {}

        pub(crate) fn helper() {
            restricted();
        }
    }
}
