//! The threads of this process, as the system sees them. Elsewhere than on Linux there are none to be seen.

use std::fs;

/// A thread of this process at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadSeen {
    /// The system's number of it.
    pub id: u32,
    /// Its name, cut to 15 bytes by the system.
    pub name: String,
    /// `R` running, `S` asleep, `D` asleep without a signal, and so on.
    pub state: char,
    /// Processor time in clock ticks.
    pub ticks: u64,
    /// What it waits for in the kernel; empty where the system does not tell.
    pub waits_in: String,
}

/// The names of the threads with their numbers.
pub fn thread_names() -> Vec<(u32, String)> {
    thread_ids()
        .into_iter()
        .filter_map(|id| {
            let name = fs::read_to_string(format!("/proc/self/task/{id}/comm")).ok()?;
            Some((id, name.trim_end().to_owned()))
        })
        .collect()
}

/// What all threads are doing.
pub fn threads() -> Vec<ThreadSeen> {
    thread_ids().into_iter().filter_map(seen).collect()
}

/// Names the current thread for the system only: unnamed threads that it starts inherit the name, which tells whose they
/// are. Returns the name it had.
pub fn rename_current_thread(name: &str) -> Option<String> {
    const OWN: &str = "/proc/thread-self/comm";
    let before = fs::read_to_string(OWN).ok()?;
    fs::write(OWN, name).ok()?;
    Some(before.trim_end().to_owned())
}

fn thread_ids() -> Vec<u32> {
    fs::read_dir("/proc/self/task")
        .map(|items| items.filter_map(|item| item.ok()?.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default()
}

fn seen(id: u32) -> Option<ThreadSeen> {
    let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Some(ThreadSeen {
        id,
        name: head.split_once('(')?.1.to_owned(),
        state: fields.first()?.chars().next()?,
        // User and system time are fields 14 and 15 of the file; the state, which is field 3, is the first one here.
        ticks: number(11) + number(12),
        waits_in: fs::read_to_string(format!("/proc/self/task/{id}/wchan"))
            .ok()
            .filter(|text| text != "0")
            .unwrap_or_default(),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_unnamed_thread_inherits_the_name_of_the_one_that_started_it() {
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let parent = std::thread::spawn(move || {
            let before = rename_current_thread("7:parent").unwrap();
            let child = std::thread::spawn(move || receive.recv());
            // The child's name is set with the thread itself: there is no moment at which it has another.
            let names = thread_names();
            rename_current_thread(&before).unwrap();
            (names.iter().filter(|(_, name)| name == "7:parent").count(), child)
        });
        let (named, child) = parent.join().unwrap();
        assert_eq!(named, 2);
        assert!(threads().iter().any(|thread| thread.name == "7:parent"));
        drop(send);
        let _ = child.join().unwrap();
    }
}
