//! What is written of the end of a process.

use super::{AttributedBy, Entry, files, line::Line};

/// One report: what [`CrashReport`](super::CrashReport) says, while it is written.
pub(super) struct Report<'a> {
    pub(super) signal: i32,
    pub(super) name: &'a str,
    pub(super) entry: Option<&'a Entry>,
    pub(super) offset: Option<u64>,
    pub(super) by: Option<AttributedBy>,
    pub(super) pc: u64,
    pub(super) address: Option<u64>,
    pub(super) sent_by: Option<i32>,
}

// === impl Report ===

impl Report<'_> {
    /// Has it on the disk, in the file of the image's owner or in all of them. Safe in a signal handler, in a
    /// [`Turn`](super::turn::Turn), whose line it is.
    pub(super) fn write(&self, line: &mut Line) {
        // SAFETY: they only ask for numbers.
        let (pid, tid) = unsafe { (libc::getpid(), libc::gettid()) };
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes `now`.
        unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
        line.begin();
        line.number("signal", Some(self.signal as u64));
        line.text("signal_name", Some(self.name));
        line.packed("module", self.entry.map(Entry::name));
        line.packed("version", self.entry.map(Entry::version));
        line.number("generation", self.entry.map(Entry::generation));
        line.digest("digest", self.entry.map(Entry::digest));
        line.number("age_ms", self.entry.map(Entry::age_ms));
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
