//! How often the detectors were right on logs whose truth is known. Written by the test that measures it
//! (`STAGEFLOW_TESTS_WRITE=1 cargo test -p stageflow-stress --lib planted`); do not edit.

/// A kind of defect, and how often its detector found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// 1 for D1.
    pub detector: u8,
    /// The defect.
    #[cfg_attr(not(test), expect(dead_code, reason = "the document shows it"))]
    pub defect: &'static str,
    /// Logs with it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the document shows it"))]
    pub planted: u64,
    /// Logs in which it was found.
    pub found: u64,
    /// Sound logs in which the detector saw a defect.
    pub alarms: u64,
}

const fn m(detector: u8, defect: &'static str, planted: u64, found: u64, alarms: u64) -> Measured {
    Measured { detector, defect, planted, found, alarms }
}

/// By detector and defect.
pub const MEASURED: &[Measured] = &[
];
