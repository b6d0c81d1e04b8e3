//! Installs crash reports: opens the file, and installs the handler.

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
        actions::{PREVIOUS, all_signals, current_action, default_action},
        exit,
        fatal::SIGNALS,
        files::{self, FILES_MAX},
        handler::ON_SIGNAL,
        table::TABLE,
    },
    file::candidate::Staged,
};

/// Crash reports for this process, until this is dropped. When the process dies of a fatal signal, or a
/// module ends it with `exit`, a line is written to a file.
///
/// The line names the module, its version and the place in its file ([`CrashReport`](crate::CrashReport)).
/// Then the process dies as it would have died without it.
#[derive(Debug)]
pub struct CrashReports {
    owner: u64,
    /// Closed after [`Drop`] has removed it from the list.
    _file: File,
}

/// Whether the handler is installed. Locked to install it.
static IS_INSTALLED: Mutex<bool> = Mutex::new(false);

// === impl CrashReports ===

impl CrashReports {
    /// Installs the handler, if the process does not have it yet, and appends reports to this file, which is
    /// created if it does not exist. Read the reports of earlier processes
    /// ([`read_reports`](crate::read_reports)) before.
    ///
    /// The report of an image goes to the file that was set with
    /// [`Staged::report_to`](crate::Staged::report_to). If none was set, or the crash is outside every
    /// module, the report goes to all files of the process.
    ///
    /// Handlers that are installed **later** run first, and should forward signals that they do not handle.
    /// Handlers that were installed **before** run after the report. A host that uses such signals in normal
    /// operation, for example for a runtime of another language, must install its handlers later.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or is not a regular file, if the handler cannot be installed, or if 16
    /// runtimes of the process have reports already.
    pub fn install(file: &Path) -> Result<Self, io::Error> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            // Without blocking: to open a pipe without a reader would block forever.
            .custom_flags(libc::O_NONBLOCK)
            .open(file)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        end_partial_line(&file, metadata.len())?;
        install_handler()?;
        exit::record_process();
        let owner = files::add(file.as_raw_fd()).ok_or_else(|| {
            io::Error::other(format!("{FILES_MAX} runtimes of this process have crash reports already"))
        })?;
        Ok(CrashReports { owner, _file: file })
    }

    /// The number of images that were mapped while the table of images was full. If one of them crashes, the
    /// report does not name it.
    pub fn unattributed() -> u64 {
        TABLE.overflows()
    }
}

// === impl Staged ===

impl Staged {
    /// Sends reports of crashes in the image to this file only, and not to all files of the process.
    pub fn report_to(mut self, reports: &CrashReports) -> Self {
        self.report_owner = reports.owner;
        self
    }
}

/// No more reports go to this file. Reports of images that were assigned to it are lost. The handler stays.
impl Drop for CrashReports {
    fn drop(&mut self) {
        files::remove(self.owner);
    }
}

/// Ends a partial line that an earlier process left, so it does not corrupt the next line.
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
    // All actions are read before one is replaced, because the handler may run at once.
    let previous = PREVIOUS.get_or_init(|| SIGNALS.map(|(signal, _)| current_action(signal)));
    for (done, (signal, _)) in SIGNALS.into_iter().enumerate() {
        // SAFETY: the handler is async-signal-safe.
        if unsafe { libc::sigaction(signal, &handler_action(), ptr::null_mut()) } != 0 {
            let error = io::Error::last_os_error();
            for ((signal, _), action) in SIGNALS.into_iter().zip(previous).take(done) {
                // SAFETY: it is the previous action.
                unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
            }
            return Err(error);
        }
    }
    *is_installed = true;
    Ok(())
}

/// The action with this handler. It runs on the alternate stack, if the thread has one, because the thread's
/// own stack may have overflowed. All fatal signals are blocked meanwhile, so a fault in the handler ends the
/// process at once.
fn handler_action() -> libc::sigaction {
    let mut action = default_action();
    action.sa_sigaction = ON_SIGNAL.address();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action.sa_mask = all_signals();
    action
}
