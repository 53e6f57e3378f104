//! Roadmap tests of miniflow. Each file is a page to copy: what it stresses, how to adapt it, and with which planted defect it is
//! red. `red.rs` reads those names from the pages and shows that each of them is.
//!
//! ```sh
//! cargo test -p miniflow --test roadmap                                     # green
//! MINIFLOW_DEFECT=CheckThenAct cargo test -p miniflow --test roadmap work_002   # red
//! ```

#[path = "../adapter/mod.rs"]
mod adapter;
mod pool;
mod red;
mod support;
#[cfg(target_os = "linux")]
mod worker;

mod chaos_001;
mod chaos_002;
mod chaos_003;
mod chaos_006;
mod chaos_007;
mod chaos_008;
mod chaos_009;
#[cfg(target_os = "linux")]
mod chaos_011;
#[cfg(target_os = "linux")]
mod chaos_012;
mod core_002;
mod core_007;
mod dag_002;
mod dag_003;
mod dag_004;
mod dag_005;
mod dag_010;
mod perf_001;
mod perf_005;
mod work_002;
mod work_004;
mod work_005;
