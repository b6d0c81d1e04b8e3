//! The content of a report.

use libc::c_int;

use crate::crash::{entry::Entry, files, line::Line, reports::AttributedBy};

/// How a process ends.
#[derive(Clone, Copy)]
pub(super) enum ProcessEnd {
    /// By this signal, with this name.
    Signal(c_int, &'static str),
    /// By `exit`, with the status that the parent gets.
    Exit(u8),
}

/// A report that is being written. [`CrashReport`](crate::CrashReport) is its form for readers.
pub(super) struct Report<'a> {
    pub(super) end: ProcessEnd,
    pub(super) entry: Option<&'a Entry>,
    pub(super) offset: Option<u64>,
    pub(super) by: Option<AttributedBy>,
    pub(super) pc: u64,
    pub(super) address: Option<u64>,
    pub(super) sent_by: Option<i32>,
}

// === impl ProcessEnd ===

impl ProcessEnd {
    pub(super) fn exit(status: c_int) -> Self {
        ProcessEnd::Exit(status as u8)
    }

    fn write(self, line: &mut Line) {
        match self {
            ProcessEnd::Signal(number, name) => {
                line.number("signal", Some(number as u64));
                line.text("signal_name", Some(name));
            }
            ProcessEnd::Exit(status) => {
                line.number("signal", Some(0));
                line.call("signal_name", "exit", status.into());
            }
        }
    }
}

// === impl Report ===

impl Report<'_> {
    /// Writes the report to the file of the image's owner, or to all files, and syncs it to the disk. `line`
    /// belongs to a [`ReportGuard`](super::report_lock::ReportGuard). Async-signal-safe.
    pub(super) fn write(&self, line: &mut Line) {
        // SAFETY: they only return numbers.
        let (pid, tid) = unsafe { (libc::getpid(), libc::gettid()) };
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes `now`.
        unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
        line.begin();
        self.end.write(line);
        line.packed("module", self.entry.map(Entry::name));
        line.packed("version", self.entry.map(Entry::version));
        line.number("generation", self.entry.map(Entry::generation));
        line.digest("digest", self.entry.map(Entry::digest));
        line.number("age_ms", self.entry.map(Entry::age_ms));
        line.number("left_ms", self.entry.and_then(Entry::left_ms));
        line.number("offset", self.offset);
        line.text("attributed_by", self.by.map(AttributedBy::name));
        line.number("pc", Some(self.pc));
        line.number("address", self.address);
        line.number("sent_by", self.sent_by.map(|pid| pid as u64));
        line.number("at", Some(now.tv_sec as u64));
        line.number("pid", Some(pid as u64));
        line.number("tid", Some(tid as u64));
        files::append(line.end(), self.entry.map_or(0, Entry::owner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_the_status_that_the_parent_gets() {
        for (status, expected) in [
            (0, "exit(0)"),
            (7, "exit(7)"),
            (10, "exit(10)"),
            (101, "exit(101)"),
            (255, "exit(255)"),
            (-1, "exit(255)"),
            (256, "exit(0)"),
        ] {
            let mut line = Line::new();
            line.begin();
            ProcessEnd::exit(status).write(&mut line);
            let expected = format!("{{\"signal\":0,\"signal_name\":\"{expected}\"}}\n");
            assert_eq!(line.end(), expected.as_bytes());
        }
    }
}
