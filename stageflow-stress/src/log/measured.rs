//! How often the detectors were right on logs whose truth is known. Written by the test that measures it
//! (`STAGEFLOW_TESTS_WRITE=1 cargo test -p stageflow-stress --lib planted`); do not edit.

/// A kind of defect, and how often its detector found it.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// 1 for D1.
    pub detector: u8,
    /// The defect.
    pub defect: &'static str,
    /// Logs with it.
    pub planted: u64,
    /// Logs in which it was found.
    pub found: u64,
    /// Sound logs in which the detector saw a defect.
    pub alarms: u64,
}

const fn m(detector: u8, defect: &'static str, planted: u64, found: u64, alarms: u64) -> Measured {
    Measured { detector, defect, planted, found, alarms }
}

/// The seed of the logs, and how many there are of each kind.
#[cfg(test)]
pub const PUBLISHED: (u64, u64) = (1796140489854252530, 210);

/// By detector and defect.
pub const MEASURED: &[Measured] = &[
    m(1, "lines of no format", 210, 210, 0),
    m(2, "an error with a stack trace", 210, 210, 0),
    m(3, "a failure told at level INFO", 210, 210, 0),
    m(4, "a warning that repeats", 210, 210, 0),
    m(5, "one text at two levels from two places", 210, 210, 0),
    m(6, "a pause within a stage while others go on", 210, 210, 0),
    m(7, "an end before its beginning", 210, 210, 0),
    m(8, "a statement that logs without measure", 210, 210, 0),
    m(9, "a record that every other run has", 210, 210, 0),
    m(9, "an announced record that is missing", 210, 210, 0),
    m(10, "an error that nobody logged", 210, 210, 0),
    m(11, "an error without context", 210, 210, 0),
    m(12, "a record that lost its run", 210, 210, 0),
    m(12, "the id of another run", 210, 210, 0),
    m(13, "a new kind of record", 210, 210, 0),
    m(14, "another path for the same input", 210, 210, 1),
    m(15, "a stage that ends twice", 210, 210, 0),
    m(15, "work after the end of its pipeline", 210, 210, 0),
    m(16, "a stage that never ends", 210, 210, 0),
    m(17, "a success that nobody logged", 210, 210, 0),
    m(18, "errors at a fixed interval", 210, 210, 0),
    m(19, "an error in a test that passes", 210, 210, 0),
    m(20, "a cycle without progress", 210, 210, 0),
    m(20, "a run that waits without end", 210, 210, 0),
    m(21, "memory that grows", 210, 210, 0),
    m(22, "an empty value where there never is one", 210, 210, 0),
    m(23, "a secret", 210, 210, 0),
    m(24, "lost records", 210, 210, 0),
];
