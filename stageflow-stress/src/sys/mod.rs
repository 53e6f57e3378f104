//! What the operating system is asked. All `unsafe` code of the crate lives below this module.

mod exit;
mod machine;
mod process;

pub use exit::{at_exit, end_process_as_failed};
pub use machine::{cpu_model, memory_gb, os_name};
pub use process::{boot_id, host_name, is_alive, own_start_ticks, parent_pid, start_ticks};
