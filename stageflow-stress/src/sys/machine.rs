//! The machine, as far as it tells.

use std::fs;

/// Operating system with its version.
pub fn os_name() -> String {
    let uname = rustix::system::uname();
    format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy())
}

/// Model of the first processor.
pub fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    field(&text, "model name").or_else(|| field(&text, "Processor"))
}

/// Memory in GB of 1,000,000,000 bytes, rounded to one decimal.
pub fn memory_gb() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: f64 = field(&text, "MemTotal")?.split_whitespace().next()?.parse().ok()?;
    Some((kib * 1024.0 / 100_000_000.0).round() / 10.0)
}

fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}
