//! What the operating system is asked. All `unsafe` code of the crate lives below this module.

#[cfg(feature = "load")]
mod alloc;
mod child;
#[cfg(any(feature = "conformance", feature = "worker"))]
mod cpu;
mod exit;
mod machine;
mod mapped;
mod process;
#[cfg(all(feature = "stacks", target_os = "linux"))]
mod stacks;
mod threads;
#[cfg(feature = "load")]
mod usage;
mod waker;

#[cfg(feature = "load")]
pub use alloc::{CountingAllocator, allocated};
pub use child::{CHILDREN_CAN_BE_CONFINED, die_with_parent, limit_self, signal_name, wait_and_clear};
#[cfg(any(feature = "conformance", feature = "worker"))]
pub use cpu::cpu_time;
pub use exit::{at_exit, end_process_as_failed};
pub use machine::{cpu_model, memory_gb, os_name};
pub use mapped::map_new;
pub use process::{boot_id, host_name, is_alive, own_start_ticks, parent_pid, start_ticks, uptime};
#[cfg(all(feature = "stacks", target_os = "linux"))]
pub use stacks::stack_of;
pub use threads::{ThreadSeen, rename_current_thread, thread_names, threads};
#[cfg(feature = "load")]
pub use usage::{USAGE_IS_READ, process_usage};
pub use waker::traced_poll;
