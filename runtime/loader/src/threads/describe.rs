//! Describes a thread with the data in `/proc`.

use std::fs;

/// The name of a thread of this process; `None` if the thread has ended.
pub(super) fn name_of(tid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/self/task/{tid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Describes a thread of this process: its id, its name, and its state.
pub fn describe_thread(tid: i32) -> String {
    let Some(name) = name_of(tid) else { return format!("thread {tid}, which has ended") };
    let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
    // The name precedes it in parentheses, and may contain parentheses itself.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    let state = match state {
        Some('R') => "runs",
        Some('S') => "sleeps",
        Some('D') => "waits for a device",
        Some('T' | 't') => "is stopped",
        _ => "is alive",
    };
    format!("thread {tid} ({name}), which {state}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_described_with_its_name_and_state() {
        // SAFETY: it only returns a number.
        let tid = unsafe { libc::gettid() };
        let text = describe_thread(tid);
        assert!(text.starts_with(&format!("thread {tid} (")) && text.ends_with(", which runs"), "{text}");
        assert_eq!(describe_thread(i32::MAX), format!("thread {}, which has ended", i32::MAX));
    }
}
