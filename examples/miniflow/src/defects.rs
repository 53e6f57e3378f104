//! The switchboard: defects that can be planted, each of a kind that real frameworks have had.
//!
//! All are off by default. A defect is looked at where it acts, by `defects.on(Defect::Name)`, so that reading the code
//! around it shows what is right and what is wrong. `docs/miniflow-defects.md` lists what the conformance suite found.

macro_rules! defects {
    ($($group:literal { $($name:ident: $what:literal, like $like:literal, shows $shows:literal;)+ })+) => {
        /// A defect that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Defect {
            $($(#[doc = $what] $name,)+)+
        }

        impl Defect {
            /// Every defect.
            pub const ALL: &'static [Defect] = &[$($(Defect::$name,)+)+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Defect::$name => stringify!($name),)+)+ }
            }

            /// The group that it belongs to.
            #[must_use]
            pub fn group(self) -> &'static str {
                match self { $($(Defect::$name => $group,)+)+ }
            }

            /// What is wrong.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self { $($(Defect::$name => $what,)+)+ }
            }

            /// Where its kind is known from.
            #[must_use]
            pub fn like(self) -> &'static str {
                match self { $($(Defect::$name => $like,)+)+ }
            }

            /// What its users meet.
            #[must_use]
            pub fn shows(self) -> &'static str {
                match self { $($(Defect::$name => $shows,)+)+ }
            }
        }
    };
}

/// A set of planted defects; empty by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defects(u128);

impl Defects {
    /// No defect.
    pub const NONE: Defects = Defects(0);

    /// One defect.
    #[must_use]
    pub fn only(defect: Defect) -> Self {
        Defects(1 << defect as u32)
    }

    /// One defect more.
    #[must_use]
    pub fn and(self, defect: Defect) -> Self {
        Defects(self.0 | 1 << defect as u32)
    }

    /// Whether the defect is planted.
    #[must_use]
    pub fn on(self, defect: Defect) -> bool {
        self.0 & 1 << defect as u32 != 0
    }
}

const _: () = assert!(Defect::ALL.len() <= 128, "the set has one bit for each defect");

defects! {
    "Graphs and scheduling" {
        DuplicateStageReplaces: "a second stage of a name replaces the first",
            like "stageflow-core 1.2.0; dictionaries of handlers anywhere", shows "a stage that was declared never runs";
        UnknownDependencyIgnored: "a dependency that does not exist is dropped",
            like "build tools and CI files that ignore a misspelt `needs`", shows "a stage does not wait";
        CyclesAccepted: "stages that wait for each other are neither refused nor noticed",
            like "schedulers whose loop ends when nothing is ready", shows "the run is ok and stages never ran";
        CycleCheckRecurses: "the check for cycles is a recursion with a limited stack",
            like "stageflow-core 1.2.0 (RecursionError at about 1000)", shows "a deep chain that is declared backwards is refused";
        DependencyCountWraps: "open dependencies are counted in eight bits",
            like "reference counts and sequence numbers that wrap", shows "a stage with more than 255 dependencies starts early";
        SkipBlocksDependents: "a skipped stage does not release the stages after it",
            like "joins in workflow engines that want every branch to succeed", shows "the run is ok and stages never ran";
        MissingConditionHolds: "a condition on a value that is absent holds",
            like "templates in which an undefined variable is true enough", shows "a stage runs that must be skipped";
        ConditionsCompareText: "conditions compare values as text",
            like "YAML and shell conditions, loose equality", shows "`1` equals `\"1\"`";
        FailedEnrichIsOk: "a failed ENRICH stage counts as done, with empty output",
            like "optional steps: `continue-on-error`", shows "the run is ok although a stage failed";
        FailedStageIsTolerated: "a failed stage releases the stages after it",
            like "trigger rules such as `all_done`", shows "stages run after a failed dependency";
        PanicIsSwallowed: "a panic in a stage becomes an empty output",
            like "`catch_unwind(..).ok()`, `except Exception: pass`", shows "the run is ok although a stage panicked";
        PanicIsNeverJoined: "a panic in a stage is never reported to who waits for it",
            like "a task whose channel is dropped without a word", shows "the run hangs";
        ErrorTextIsLost: "the error of a stage is replaced by a general one",
            like "`raise PipelineError(\"stage failed\")` without a cause", shows "nobody learns why";
        FailedRunLeavesSiblings: "a failing stage does not stop its siblings",
            like "stageflow-core 1.2.0; `asyncio.gather` without cancellation", shows "effects after the run has ended";
        AbandonedStagesGoOn: "stages go on when the run's future is dropped",
            like "stageflow-core 1.2.0 under `asyncio.wait_for`; `tokio::spawn` without an abort", shows "effects after the run has ended";
    }
    "Cancellation and deadlines" {
        CancelIsIgnored: "cancelling has no effect",
            like "tokens that are handed over and never looked at", shows "the run goes on and is ok";
        CancelWaitsForStages: "cancelling takes effect only between stages",
            like "cooperative cancellation", shows "effects of stages that had not acted when they were cancelled";
        CancelledRunIsOk: "a cancelled run is reported as ok",
            like "`except CancelledError: pass`", shows "the caller takes a part for the whole";
        StageTimeoutDetaches: "a stage that takes too long is left running",
            like "thread pools: `future.result(timeout)`", shows "effects after the stage was given up";
        StageTimeoutIsOk: "a stage that takes too long has an empty output",
            like "caches and feature flags that fall back on time-out", shows "the run is ok although a stage gave nothing";
        TimeoutInSeconds: "milliseconds are taken for seconds",
            like "every second HTTP client", shows "a stage that takes too long is not stopped";
        TimeoutOnFirstAttemptOnly: "the deadline of a stage holds for its first attempt only",
            like "a deadline around the first call instead of each", shows "the second attempt runs without end";
    }
    "Outputs" {
        LookUpByCompletion: "a look-up by key takes the dependency that ended first",
            like "stageflow-core 1.2.0 (`inputs.get`)", shows "one graph, different answers";
        OutputsAreShared: "stages change outputs of others in place",
            like "stageflow-core 1.2.0; any dictionary handed to two tasks", shows "another branch reads what was never returned";
        BagIsShared: "the runs of a graph share one output bag",
            like "module-level state, singletons in web workers", shows "one run reads another's data";
        LostUpdateInBag: "outputs are stored by reading, waiting and writing back",
            like "read-modify-write across an await", shows "outputs vanish under fan-out";
        FirstOutputStays: "the output of an earlier attempt is not replaced",
            like "`setdefault`, `INSERT .. ON CONFLICT DO NOTHING`", shows "stages after a repeated stage read its old output";
        OutputNumbersAreFloats: "numbers pass through a double",
            like "JSON in JavaScript, protobuf `Struct`", shows "whole numbers above 2^53 change";
        LongTextIsCut: "texts are cut at 1024 characters",
            like "`VARCHAR` columns without strict mode, log pipelines", shows "the end of a text is lost";
        NullOutputsDropped: "keys with null are dropped",
            like "serializers with `exclude_none`", shows "a key that was returned is absent";
        EmptyOutputIsNothing: "an empty output is not stored",
            like "`if output:`", shows "a stage is not reported, its output is not seen";
        OutputsLeakIntoSnapshot: "outputs are written into the snapshot",
            like "a context object that everybody extends", shows "the input of a run changes while it runs";
    }
    "Retry" {
        RetryTakenForOk: "a stage that asks to be run again counts as done",
            like "stageflow-core 1.2.0 (`StageOutput.retry()`)", shows "stages run after one that has not succeeded";
        RetriesOnce: "a stage is run again once, whatever is configured",
            like "stageflow-core 1.2.0 (`max_attempts=5` makes 2)", shows "fewer attempts than configured";
        RetriesOnceTooOften: "one attempt more than configured",
            like "`retries` against `attempts`", shows "more attempts than configured";
        RetriesPermanentErrors: "errors that cannot heal are retried as well",
            like "`except Exception` around the call", shows "effects are repeated in vain";
        TimeoutsNotRetried: "a time-out is not retried",
            like "stageflow-core 1.2.0; lists of retryable errors without the one that matters", shows "fewer attempts than configured";
        RetriesCountAcrossRuns: "the attempts of all runs of a graph count together",
            like "a counter in the decorator instead of the call", shows "later runs have no attempts left";
        ExhaustedRetryIsOk: "after the last attempt the error is dropped",
            like "`for` loops that fall off their end", shows "the run is ok although a stage failed";
        NoBackOff: "attempts follow each other at once",
            like "a delay of zero by default", shows "no wait between attempts";
        BackOffDoesNotGrow: "every wait is as long as the first",
            like "`delay * 1`, an exponent that is never raised", shows "waits do not grow";
        BackOffWithoutLimit: "waits grow beyond the configured limit",
            like "`base ** attempt` without `min`", shows "waits of hours";
        BackOffIgnoresCancel: "a stage that waits for its next attempt is not stopped",
            like "sleeping in a task of its own", shows "attempts after the run has ended";
    }
    "Idempotency" {
        StoreOfEachRun: "every run has an idempotency store of its own",
            like "stageflow-core 1.2.0", shows "a repeated request has its effects again";
        KeyHoldsOneStage: "the key of the request holds the output of one stage",
            like "stageflow-core 1.2.0", shows "the second stage gets the first one's output and never runs";
        CheckThenAct: "a key is looked up first and taken later",
            like "`if key not in cache:` before an await", shows "requests at once have their effects twice";
        FailuresAreReplayed: "a failed result is kept under its key",
            like "response caches that store errors", shows "a request can never be repeated";
        KeyIsCut: "keys are compared by their first 16 characters",
            like "hash prefixes, `VARCHAR(16)`", shows "another request gets this one's result, or is refused";
        AbandonedKeyStaysTaken: "a run that is dropped does not give its key back",
            like "locks without a lease", shows "the next request waits for ever";
        KeyHoldsForAnyRequest: "a key is answered whatever is asked under it",
            like "response caches by `Idempotency-Key` alone", shows "another request gets this one's result and never happens";
    }
    "Tools" {
        ApprovalIsNotAsked: "a tool that needs consent is called without",
            like "a flag that is declared and not read", shows "an effect that nobody allowed";
        DenialIsIgnored: "any answer counts as consent",
            like "`if answer is not None:`", shows "an effect that was denied";
        SilenceIsConsent: "no answer in time counts as consent",
            like "approval queues with a default", shows "an effect that nobody allowed";
        ToolErrorIsOk: "a failed call counts as done",
            like "tool loops that hand errors to a model as text", shows "the run is ok although a tool failed";
        ToolTimeoutDetaches: "a call that takes too long goes on",
            like "thread pools again", shows "an effect after the call was given up";
        UndoTwice: "each undo is called twice",
            like "at-least-once delivery without a guard", shows "refunded twice";
        UndoInOrderOfCalls: "the oldest call is undone first",
            like "a saga's list that is not reversed", shows "undo meets a state that it does not know";
        UndoStopsAtError: "an undo that fails keeps the others from running",
            like "the first exception in a clean-up loop", shows "half rolled back";
        UndoForgetsOldest: "the oldest call is not undone",
            like "`calls[1:]`, off by one", shows "half rolled back";
        UndoAfterSuccess: "the calls of a run that succeeded are undone as well",
            like "`finally` instead of `except`", shows "the effect is gone and the caller told ok";
        UndoErrorsAreLost: "an undo that failed is not reported",
            like "`suppress(Exception)` in a rollback", shows "nobody repairs what is left";
    }
    "Guards and interceptors" {
        GuardErrorPasses: "a guard that raises lets data pass",
            like "fail-open filters", shows "what must be stopped passes";
        GuardIsAskedOnceMore: "a guard is asked once more than allowed",
            like "`<=`", shows "more attempts than configured";
        ExhaustedGuardPasses: "a guard that refused to the end lets data pass",
            like "self-repair loops that give up and go on", shows "what must be stopped passes";
        GuardRetrySkipsTheStage: "only the guard is asked again, the work is not redone",
            like "retry of the wrong node", shows "the same output is judged again and again";
        BeforeErrorIsIgnored: "an interceptor that raises before a stage is ignored",
            like "stageflow-core 1.2.0; middleware that logs and goes on", shows "the stage runs although policy failed";
        AfterErrorIsIgnored: "an interceptor that raises after a stage is ignored",
            like "the same on the way back", shows "a broken check of outputs passes";
        AfterHooksInOrder: "interceptors act in the same order after a stage as before",
            like "middleware lists without a reversal", shows "outer and inner are mixed up";
        AfterHooksOnlyOnSuccess: "interceptors do not act after a stage that failed",
            like "no `finally`", shows "locks and spans stay open";
        AnswerIsLost: "an answer in place of a stage arrives empty",
            like "stageflow-core 1.2.0 (short circuit with `{}`)", shows "the output is empty and ok";
        OpenBreakerIsOk: "a stage that the breaker refuses is ok and empty",
            like "stageflow-core 1.2.0", shows "a stage never ran and nobody is told";
        BreakerClosesItself: "the first refusal closes the breaker",
            like "stageflow-core 1.2.0", shows "the failing stage is called again at once";
        BreakerNeverOpens: "failures are counted and nothing follows",
            like "a threshold that is never compared", shows "a failing stage is called for ever";
        BreakerNeverCloses: "an open breaker stays open",
            like "a reset time that is not looked at", shows "a stage that healed is never called again";
        BreakerIsShared: "all stages share one breaker",
            like "a breaker for each process instead of each target", shows "a healthy stage is refused";
        BreakerCountsForEver: "a success does not reset the count of failures",
            like "total instead of consecutive", shows "a stage that fails now and then is refused";
    }
    "Events and logs" {
        StopLosesEventInFlight: "closing the queue stops the delivery in progress",
            like "stageflow-core 1.2.0 (`stop(drain=True)`)", shows "emitted is not delivered plus dropped";
        DropsAreNotCounted: "events that do not fit are dropped without a count",
            like "`except QueueFull: pass`", shows "emitted is not delivered plus dropped";
        SinkErrorEndsDelivery: "the first error of a sink ends all delivery",
            like "an exception in a worker loop", shows "later events are lost";
        CompletionsAreNotTold: "stages that end well emit no event",
            like "stageflow-core 1.2.0", shows "a start without an end";
        SkipsAreNotTold: "skipped stages emit no event",
            like "an early return before the event", shows "a stage without a trace";
        StoppedStagesAreNotTold: "stages that are stopped emit no event",
            like "events after an await that is never reached", shows "a start without an end";
        FailuresAreToldAsCompleted: "a failing stage emits the event of one that completed",
            like "`stage_completed` in a `finally`", shows "dashboards are green";
        RetriesAreNotTold: "further attempts emit no event",
            like "stageflow-core 1.2.0 (the sink's signature is missed)", shows "flaky stages are invisible";
        RunIdOfTheLatestRun: "events and log lines carry the id of the run that began last",
            like "a thread-local or global context", shows "concurrent runs cannot be told apart";
        LogsWithoutRunId: "log lines carry no id of their run",
            like "stageflow-core 1.2.0 (`pipeline_dag`)", shows "concurrent runs cannot be told apart";
    }
    "Runs within runs" {
        ChildFailureIsOk: "a child that fails is ok for its parent",
            like "sub-workflows that are started and not asked", shows "the run is ok although a child failed";
        ChildIsDetached: "a child goes on when its parent is stopped",
            like "a task of its own", shows "effects after the run has ended";
        ChildLosesSnapshot: "a child gets an empty snapshot",
            like "context that is not propagated", shows "a child works on nothing";
        ChildWritesIntoParent: "outputs of a child overwrite those of its parent",
            like "one namespace for all", shows "a stage's output changes after it returned";
    }
    "Clean-up and growth" {
        CleanupsAreShared: "the runs of a graph share one registry of clean-ups",
            like "stageflow-core 1.2.0", shows "a run loses its clean-ups when another ends";
        CleanupForgetsLast: "the clean-up that was registered last is not run",
            like "off by one", shows "a resource stays open";
        CleanupInOrder: "the first clean-up runs first",
            like "a list that is not reversed", shows "a connection is closed before what uses it";
        NoCleanupAfterFailure: "a run that failed is not cleaned up",
            like "no `finally`", shows "resources stay open";
        NoCleanupAfterCancel: "a run that was cancelled is not cleaned up",
            like "clean-up behind an await", shows "resources stay open";
        NoCleanupAfterSuccess: "a run that succeeded is not cleaned up",
            like "clean-up in the error path only", shows "resources stay open";
        NoCleanupWhenAbandoned: "a run that is dropped is not cleaned up",
            like "clean-up without `Drop`", shows "resources stay open";
        FinishedRunsAreKept: "runs that have ended stay registered",
            like "registries without removal", shows "memory grows with every run";
        BagCopiedPerStage: "all outputs are copied for every stage",
            like "a snapshot of the context for each stage", shows "time grows with the square of the stages";
    }
    "Contracts and snapshots" {
        ContractOnlyWarns: "an output that breaks its contract is logged and used",
            like "validation in warning mode", shows "stages read what was never promised";
        ContractChecksPresenceOnly: "contracts look at keys and not at types",
            like "`required` without `type`", shows "a text where a number was promised";
        OptionalFieldsUnchecked: "optional fields are not checked when they are there",
            like "`if field.required:` around everything", shows "a text where a number was promised";
        SnapshotNumbersAreFloats: "numbers of the snapshot pass through a double",
            like "JSON in JavaScript", shows "whole numbers above 2^53 change";
        SnapshotDropsNulls: "null is dropped when the snapshot is written",
            like "`exclude_none`", shows "a key of the request is absent";
        SnapshotTextIsAscii: "the snapshot is written in ASCII",
            like "the platform's encoding by default", shows "names become question marks";
    }
}
