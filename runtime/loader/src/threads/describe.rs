//! What the system knows of a thread.

use std::fs;

/// The name of a thread of this process, as the system knows it. `None` if the thread has ended.
pub(super) fn name_of(tid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/self/task/{tid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// A thread of this process in words: its number, its name, and what it is doing.
pub fn describe_thread(tid: i32) -> String {
    let Some(name) = name_of(tid) else { return format!("thread {tid}, which has ended") };
    let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
    // The name comes before, in brackets. It may contain brackets itself.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    let doing = match state {
        Some('R') => "runs",
        Some('S') => "sleeps",
        Some('D') => "waits for a device",
        Some('T' | 't') => "is stopped",
        _ => "is there",
    };
    format!("thread {tid} ({name}), which {doing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_described_with_its_name_and_state() {
        // SAFETY: it only asks for a number.
        let tid = unsafe { libc::gettid() };
        let text = describe_thread(tid);
        assert!(text.starts_with(&format!("thread {tid} (")) && text.ends_with(", which runs"), "{text}");
        assert_eq!(describe_thread(i32::MAX), format!("thread {}, which has ended", i32::MAX));
    }
}
