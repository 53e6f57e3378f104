//! The kinds of faults, what they belong to, and at which level they strike.

use crate::classify::words;

words! {
    /// What goes wrong. `docs/faults.md` says of each kind what it does and how its delivery is proved.
    pub enum FaultKind : "fault kind" {
        /// The operation is not run and an error comes back.
        Error = "error",
        /// The operation is not run; the port panics.
        Panic = "panic",
        /// The operation starts later.
        Latency = "latency",
        /// No answer ever comes; the operation is not run.
        Hang = "hang",
        /// The request is lost: the operation is not run and the caller's wait ends in a time-out.
        Loss = "loss",
        /// The operation takes effect, and its answer is lost.
        LostReply = "lost_reply",
        /// The operation happens twice.
        Duplicate = "duplicate",
        /// The connection is reset before the operation.
        Reset = "reset",
        /// The answer breaks off after `amount` elements or bytes.
        Cut = "cut",
        /// The answer comes in pieces with a pause before each.
        SlowChunks = "slow_chunks",
        /// The dependency is down for some calls and up for others.
        Flap = "flap",
        /// The other side cannot be reached until the faults are healed.
        Partition = "partition",
        /// The name does not resolve.
        Dns = "dns",
        /// The certificate has expired.
        TlsExpired = "tls_expired",
        /// 429 with `Retry-After`.
        RateLimited = "rate_limited",
        /// A status from 500 on.
        ServerError = "server_error",

        /// A field is absent.
        MissingField = "missing_field",
        /// There is a field that nobody declared.
        ExtraField = "extra_field",
        /// A value is null.
        NullField = "null_field",
        /// A value has another type.
        WrongType = "wrong_type",
        /// A number is in another unit.
        WrongUnit = "wrong_unit",
        /// The answer is an earlier one.
        Stale = "stale",
        /// An element is there twice.
        DuplicateItem = "duplicate_item",
        /// The answer is about somebody else.
        WrongEntity = "wrong_entity",
        /// The answer, a list or a text in it ends too early.
        Truncated = "truncated",
        /// The answer cannot be parsed.
        Malformed = "malformed",
        /// A text holds what breaks careless readers.
        PoisonPill = "poison_pill",
        /// A value has the right type and breaks its constraint.
        SchemaViolation = "schema_violation",
        /// Day and month change places, or the date its format.
        DateFlip = "date_flip",

        /// A process is killed.
        Kill = "kill",
        /// A process is told to end and killed if it does not.
        Evict = "evict",
        /// A process is stopped until it is continued.
        Stop = "stop",
        /// A process may have `amount` bytes of address space.
        MemoryLimit = "memory_limit",
        /// A process may have `amount` open files.
        FdLimit = "fd_limit",
        /// A process may use `amount` seconds of CPU time.
        CpuLimit = "cpu_limit",
        /// A write finds no space left after `amount` bytes.
        DiskFull = "disk_full",
        /// The clock is apart by `millis`.
        ClockSkew = "clock_skew",
        /// The clock jumps by `millis` and stays there.
        ClockStep = "clock_step",
        /// The device of a file system gives a process `amount` bytes a second.
        SlowDisk = "slow_disk",
        /// A process gets `amount` percent of a CPU.
        CpuThrottle = "cpu_throttle",
        /// A GPU or another accelerator goes away.
        AcceleratorLoss = "accelerator_loss",
    }
}

words! {
    /// What a fault damages.
    pub enum FaultClass : "fault class" {
        /// The way to a dependency and back.
        Transport = "transport",
        /// What an answer says.
        Semantic = "semantic",
        /// What a process stands on.
        Infrastructure = "infrastructure",
    }
}

words! {
    /// Where a fault is made.
    pub enum FaultLevel : "fault level" {
        /// In a wrapper of this library: everywhere.
        Port = "port",
        /// At another process, with the means of its owner: Linux.
        Process = "process",
        /// In the operating system, with means that not every machine gives: Linux.
        Os = "os",
    }
}

impl FaultKind {
    /// What it damages.
    #[must_use]
    pub const fn class(self) -> FaultClass {
        use FaultKind::*;
        match self {
            Error | Panic | Latency | Hang | Loss | LostReply | Duplicate | Reset | Cut | SlowChunks
            | Flap | Partition | Dns | TlsExpired | RateLimited | ServerError => FaultClass::Transport,
            MissingField | ExtraField | NullField | WrongType | WrongUnit | Stale | DuplicateItem
            | WrongEntity | Truncated | Malformed | PoisonPill | SchemaViolation | DateFlip => {
                FaultClass::Semantic
            }
            Kill | Evict | Stop | MemoryLimit | FdLimit | CpuLimit | DiskFull | ClockSkew | ClockStep
            | SlowDisk | CpuThrottle | AcceleratorLoss => FaultClass::Infrastructure,
        }
    }

    /// Where it is made.
    #[must_use]
    pub const fn level(self) -> FaultLevel {
        use FaultKind::*;
        match self {
            Kill | Evict | Stop | MemoryLimit | FdLimit | CpuLimit | CpuThrottle => FaultLevel::Process,
            SlowDisk => FaultLevel::Os,
            _ => FaultLevel::Port,
        }
    }

    /// Why it cannot be had on this machine, if it cannot. A fault of such a kind is never delivered and says this.
    ///
    /// ```
    /// use stageflow_stress::fault::FaultKind;
    ///
    /// assert_eq!(FaultKind::Latency.unavailable(), None);
    /// if let Some(why) = FaultKind::SlowDisk.unavailable() {
    ///     assert!(why.starts_with("not available here: "));
    /// }
    /// ```
    #[must_use]
    pub fn unavailable(self) -> Option<&'static str> {
        if self.level() == FaultLevel::Port {
            return None;
        }
        if !cfg!(target_os = "linux") {
            return Some("not available here: faults at processes need Linux");
        }
        #[cfg(target_os = "linux")]
        if self == FaultKind::SlowDisk && !super::confine::can_slow_disks() {
            return Some(
                "not available here: slowing a disk needs a control group with the `io` or `blkio` controller that may be written; wrap the file in `Faults::io` and use `latency`",
            );
        }
        None
    }

    /// The kinds of a class, in declaration order.
    pub fn of(class: FaultClass) -> impl Iterator<Item = FaultKind> {
        Self::ALL.iter().copied().filter(move |kind| kind.class() == class)
    }

    /// What a client sees of it, as the text of its error.
    pub(crate) const fn says(self) -> &'static str {
        use FaultKind::*;
        match self {
            Error => "the operation failed",
            Loss | LostReply | Hang => "no answer within the time",
            Reset => "connection reset by peer",
            Cut => "the answer broke off",
            Flap => "connection refused",
            Partition => "host unreachable",
            Dns => "the name does not resolve",
            TlsExpired => "the certificate has expired",
            RateLimited => "429 too many requests",
            ServerError => "the server failed",
            Malformed => "the answer cannot be parsed",
            DiskFull => "no space left on device",
            AcceleratorLoss => "the accelerator is gone",
            _ => "the answer cannot be read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_kinds_of_the_design() {
        let count = |class| FaultKind::of(class).count();
        assert_eq!(
            (count(FaultClass::Transport), count(FaultClass::Semantic), count(FaultClass::Infrastructure)),
            (16, 13, 12)
        );
    }

    #[test]
    fn only_what_the_system_must_allow_is_unavailable_on_linux() {
        let unavailable: Vec<_> =
            FaultKind::ALL.iter().filter(|kind| kind.unavailable().is_some()).copied().collect();
        if cfg!(target_os = "linux") {
            assert!(unavailable.iter().all(|kind| kind.level() == FaultLevel::Os), "{unavailable:?}");
        } else {
            assert!(unavailable.iter().all(|kind| kind.level() != FaultLevel::Port), "{unavailable:?}");
        }
    }
}
