//! Asking for reports: the file, and the handler in its place.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
    ptr,
};

use parking_lot::Mutex;

use crate::{
    crash::{
        actions::{DISPLACED, all_signals, current, default_action},
        exit,
        fatal::SIGNALS,
        files::{self, FILES_MAX},
        handler::ON_SIGNAL,
        table::TABLE,
    },
    file::candidate::Staged,
};

/// Has a line written into a file when the process dies of a fatal signal, or a module ends it by `exit`, for as long as this is
/// kept.
///
/// The line says which module, which version of it and where in its file the process was ([`CrashReport`](crate::CrashReport)).
/// Then the process dies as it would have.
#[derive(Debug)]
pub struct CrashReports {
    owner: u64,
    /// Closed after it was taken off the list, in [`Drop`].
    _file: File,
}

/// Who installs the handler takes this. Whether it is.
static IS_INSTALLED: Mutex<bool> = Mutex::new(false);

// === impl CrashReports ===

impl CrashReports {
    /// Installs the handler, the first time in a process, and has reports appended to this file, which is made where there is
    /// none. Read what an earlier process left in there ([`read_reports`](crate::read_reports)) before that.
    ///
    /// A report of an image goes to whom it was [told to](crate::Staged::reported_to), and to all files of the process
    /// where that is nobody, as does a report of a crash outside of every module.
    ///
    /// Handlers that others install **later** come first, and should hand on what they do not know; those that were there
    /// **before** come after the report. A host that has such signals in the course of its work, and goes on after them (a
    /// runtime of another language, say), installs its own later.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened, is no regular file, the handler cannot be installed, or 16 runtimes of the process have
    /// reports already.
    pub fn install(file: &Path) -> Result<Self, io::Error> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            // Not blocking: opening a pipe that nobody reads would wait for ever.
            .custom_flags(libc::O_NONBLOCK)
            .open(file)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        end_partial_line(&file, about.len())?;
        install_handler()?;
        exit::record_process();
        let owner = files::add(file.as_raw_fd()).ok_or_else(|| {
            io::Error::other(format!("{FILES_MAX} runtimes of this process have crash reports already"))
        })?;
        Ok(CrashReports { owner, _file: file })
    }

    /// How many images of this process were mapped while the table of images was full. If one of them crashes, the report does
    /// not name it.
    pub fn unattributed() -> u64 {
        TABLE.overflows()
    }
}

// === impl Staged ===

impl Staged {
    /// Has a crash in the image reported to this file alone, and not to all that the process has.
    pub fn reported_to(mut self, reports: &CrashReports) -> Self {
        self.reported_to = reports.owner;
        self
    }
}

/// Reports go into this file no more; reports of images that were told to it go nowhere. The handler stays.
impl Drop for CrashReports {
    fn drop(&mut self) {
        files::remove(self.owner);
    }
}

/// A line that an earlier process wrote only half of must not spoil the next.
fn end_partial_line(mut file: &File, len: u64) -> io::Result<()> {
    let mut last = [b'\n'];
    if let Some(at) = len.checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

// === Installing ===

fn install_handler() -> io::Result<()> {
    let mut is_installed = IS_INSTALLED.lock();
    if *is_installed {
        return Ok(());
    }
    // All are known before one is replaced: the handler may run at once.
    let displaced = DISPLACED.get_or_init(|| SIGNALS.map(|(signal, _)| current(signal)));
    for (done, (signal, _)) in SIGNALS.into_iter().enumerate() {
        // SAFETY: the handler does only what may be done in a signal handler.
        if unsafe { libc::sigaction(signal, &handler_action(), ptr::null_mut()) } != 0 {
            let error = io::Error::last_os_error();
            for ((signal, _), action) in SIGNALS.into_iter().zip(displaced).take(done) {
                // SAFETY: it is what was there.
                unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
            }
            return Err(error);
        }
    }
    *is_installed = true;
    Ok(())
}

/// This handler. On the alternate stack where the thread has one: its own may be what has overflowed. All signals that it
/// handles are blocked meanwhile, so that a fault in the handler itself ends the process at once.
fn handler_action() -> libc::sigaction {
    let mut action = default_action();
    action.sa_sigaction = ON_SIGNAL.address();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action.sa_mask = all_signals();
    action
}
