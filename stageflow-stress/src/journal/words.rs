//! The closed sets of words that records use.

use crate::classify::words;

words! {
    /// What became of a hypothesis.
    pub enum HypothesisResult: "result of a hypothesis" {
        /// Stated, not decided.
        Open = "open",
        /// The evidence supports it.
        Confirmed = "confirmed",
        /// The evidence speaks against it.
        Rejected = "rejected",
        /// Some of it holds.
        Partial = "partial",
    }
}

words! {
    /// What measured something. The word is the stem of its file below `results/metrics/`.
    pub enum Instrument: "instrument" {
        /// A load on an operation.
        Load = "load",
        /// Loads of growing rate.
        Degradation = "degradation",
        /// Times over sizes.
        Scaling = "scaling",
        /// The process, sampled over time.
        Resources = "resource_usage",
        /// Decisions compared with the truth.
        Quality = "quality",
        /// Measurements compared with targets.
        Targets = "targets",
        /// Histories that were checked.
        Checkers = "checkers",
    }
}

words! {
    /// How an author declares something of the test's log.
    pub enum LogRuleKind: "declaration about a log" {
        /// Errors that belong to the scenario.
        ExpectErrors = "expect_errors",
        /// A record that must be there.
        ExpectLog = "expect_log",
        /// A beginning with its end.
        Pair = "expect_log_pair",
        /// States and the steps between them.
        States = "log_states",
        /// A field that names the operation.
        Correlate = "correlate_logs_by",
        /// An observation of a detector that is accepted.
        Waive = "waive_log",
    }
}

words! {
    /// What a note is about.
    pub enum Topic: "topic" {
        /// The industry: its rules, its work, its failures.
        Industry = "industry",
        /// The problem and the state of the art.
        Technical = "technical",
        /// How the framework relates to it.
        Framework = "framework",
        /// Anything else.
        General = "general",
    }
}

words! {
    /// What a fact about the setting describes.
    pub enum Fact: "fact" {
        /// Industry vertical.
        Industry = "industry",
        /// Who the test plays.
        Persona = "persona",
        /// How the system is deployed.
        DeploymentMode = "deployment_mode",
        /// The model that agents use.
        AgentModel = "agent_model",
        /// Version of the framework under test.
        StageflowVersion = "stageflow_version",
        /// What must hold for success.
        SuccessCriterion = "success_criterion",
        /// A data set that was used.
        DataSet = "data_set",
        /// A service that was mocked.
        MockedService = "mocked_service",
        /// A parameter of the test, as `name=value`.
        Parameter = "parameter",
    }
}

words! {
    /// The eight aspects of developer experience.
    pub enum Aspect: "aspect of developer experience" {
        /// Was it easy to find the right APIs?
        Discoverability = "discoverability",
        /// Were the APIs intuitive to use?
        Clarity = "clarity",
        /// Was documentation helpful and accurate?
        Documentation = "documentation",
        /// Were errors actionable?
        ErrorMessages = "error_messages",
        /// Was it easy to diagnose issues?
        Debugging = "debugging",
        /// How much repetitive code was needed? (5 is little.)
        Boilerplate = "boilerplate",
        /// Could behavior be customised easily?
        Flexibility = "flexibility",
        /// Did the framework add overhead? (5 is little.)
        Performance = "performance",
    }
}

words! {
    /// What a time of the developer experience measures.
    pub enum DxTimed: "developer-experience time" {
        /// Until the first pipeline ran.
        FirstPipeline = "first_pipeline",
        /// Until an error was understood.
        UnderstandError = "understand_error",
        /// Until a workaround stood.
        ImplementWorkaround = "implement_workaround",
    }
}

words! {
    /// What feedback on documentation is about.
    pub enum DocumentationAspect: "aspect of documentation" {
        /// Was it understandable?
        Clarity = "clarity",
        /// What is missing?
        Coverage = "coverage",
        /// What differs from actual behavior?
        Accuracy = "accuracy",
        /// What would have helped?
        Improvement = "improvement",
    }
}

words! {
    /// The four ledgers.
    pub enum Ledger: "ledger" {
        /// What works well: `strengths.json`.
        Strengths = "strengths",
        /// Defects: `bugs.json`.
        Bugs = "bugs",
        /// Friction for developers: `dx.json`.
        Dx = "dx",
        /// Suggestions: `improvements.json`.
        Improvements = "improvements",
    }
}

words! {
    /// What came of comparing a golden.
    pub enum GoldenOutcome: "golden outcome" {
        /// Equal to its reference.
        Match = "match",
        /// Different from its reference.
        Mismatch = "mismatch",
        /// There is no reference yet.
        New = "new",
        /// Written or replaced in this very run, so nothing was compared.
        Accepted = "accepted",
        /// Different, and let pass because the environment told so.
        Forced = "forced",
        /// The comparison could not be made.
        Unusable = "unusable",
    }
}

words! {
    /// How a test ended, as its runner saw it.
    pub enum TestStatus: "test status" {
        /// Nothing red.
        Passed = "passed",
        /// Red.
        Failed = "failed",
        /// It said that it could not run here.
        Skipped = "skipped",
        /// It asked for something that this version does not have.
        Refused = "refused",
        /// It started and no end was recorded.
        Crashed = "crashed",
        /// It started in a process that is still alive.
        Running = "running",
    }
}
