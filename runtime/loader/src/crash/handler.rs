//! The handler of the fatal signals: it writes whose code it was, and hands the signal over.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    mem,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
    ptr,
    sync::OnceLock,
};

use libc::{c_int, c_void, siginfo_t, ucontext_t};
use parking_lot::Mutex;

use super::{
    Entry, SIGNALS, TABLE,
    files::{self, FILES_MAX},
    find::find,
    turn::{Turn, Workspace, in_turn, wait_for_others},
};

/// Has a line written into a file when the process dies of a fatal signal, for as long as this is kept.
///
/// The line says which module, which version of it and where in its file the process was ([`CrashReport`](super::CrashReport)).
/// Then the process dies as it would have.
#[derive(Debug)]
pub struct CrashReports {
    owner: u64,
    /// Closed after it was taken off the list, in [`Drop`].
    _file: File,
}

/// What was there before this handler, in the order of [`SIGNALS`].
static DISPLACED: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Who installs the handler takes this. Whether it is.
static IS_INSTALLED: Mutex<bool> = Mutex::new(false);

/// What a signal says of itself.
struct Fault {
    signal: c_int,
    /// Whether it comes again by itself, at the same instruction, when the handler returns.
    comes_again: bool,
    /// The process that sent it, where it was another one.
    sent_by: Option<i32>,
    /// The address that was not to be reached, where it was that.
    address: Option<u64>,
    pc: u64,
    sp: u64,
}

// === impl CrashReports ===

impl CrashReports {
    /// Installs the handler, the first time in a process, and has reports appended to this file, which is made where there is
    /// none. Read what an earlier process left in there ([`read_reports`](super::read_reports)) before that.
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
        end_half_a_line(&file, about.len())?;
        install_handler()?;
        let owner = files::add(file.as_raw_fd()).ok_or_else(|| {
            io::Error::other(format!("{FILES_MAX} runtimes of this process have crash reports already"))
        })?;
        Ok(CrashReports { owner, _file: file })
    }

    /// How many images of this process were mapped while the table of images was full. If one of them crashes, the report does
    /// not name it.
    pub fn unattributed() -> u64 {
        TABLE.refused()
    }

    pub(crate) fn owner(&self) -> u64 {
        self.owner
    }
}

/// Reports go into this file no more; reports of images that were told to it go nowhere. The handler stays.
impl Drop for CrashReports {
    fn drop(&mut self) {
        files::remove(self.owner);
    }
}

/// A line that an earlier process wrote only half of must not spoil the next.
fn end_half_a_line(mut file: &File, len: u64) -> io::Result<()> {
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
        if unsafe { libc::sigaction(signal, &ours(), ptr::null_mut()) } != 0 {
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
fn ours() -> libc::sigaction {
    let mut action = nothing();
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for (signal, _) in SIGNALS {
        // SAFETY: the set is initialized: all zero is the empty one.
        unsafe { libc::sigaddset(&mut action.sa_mask, signal) };
    }
    action
}

/// What is done now at a signal.
fn current(signal: c_int) -> libc::sigaction {
    let mut action = nothing();
    // SAFETY: it only asks, and `action` can be written. Where it fails, `action` stays the default.
    unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    action
}

/// The default action.
fn nothing() -> libc::sigaction {
    // SAFETY: all its fields may be zero.
    unsafe { mem::zeroed() }
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == on_signal as *const () as usize
}

/// Whether this process has the handler.
pub(crate) fn is_installed() -> bool {
    DISPLACED.get().is_some()
}

/// Where the handler is that this one has displaced, and hands the signal over to.
pub(crate) fn displaced(signal: c_int) -> Option<usize> {
    action_displaced(signal).map(|action| action.sa_sigaction)
}

fn action_displaced(signal: c_int) -> Option<&'static libc::sigaction> {
    let at = SIGNALS.iter().position(|(number, _)| *number == signal)?;
    DISPLACED.get()?.get(at)
}

// === Handling: from here on only what is safe in a signal handler ===

extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system hands over both, for the time of the call.
    let (fault, is_ignored) = unsafe { (Fault::of(signal, &*info, &*context.cast()), is_ignored(&*info)) };
    if is_ignored {
        return;
    }
    // SAFETY: it is where the calling thread's is, which the code that was interrupted may be about to look at.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    in_turn(|turn| report(&fault, turn));
    // Another thread may be in the midst of its report, and this one is about to end the process.
    wait_for_others();
    hand_over(&fault, info);
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Whether nothing would have come of it: who displaced "ignore" must not make more of it. Faults are never ignored, nor is
/// `abort`, which does not come back.
fn is_ignored(info: &siginfo_t) -> bool {
    let is_abort = info.si_signo == libc::SIGABRT && info.si_code == libc::SI_TKILL;
    info.si_code <= 0 && !is_abort && displaced(info.si_signo) == Some(libc::SIG_IGN)
}

fn report(fault: &Fault, turn: &mut Turn) {
    // SAFETY: they only ask for numbers.
    let (pid, tid) = unsafe { (libc::getpid(), libc::gettid()) };
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    let workspace = turn.workspace();
    // Where another process sent it, it is by chance what this thread was doing.
    let found = match fault.sent_by {
        None => find(&TABLE, workspace, fault.pc, fault.sp, tid),
        Some(_) => None,
    };
    let Workspace { entry, line, .. } = workspace;
    let entry = found.map(|_| &*entry);
    let name = SIGNALS.iter().find(|(number, _)| *number == fault.signal).map(|(_, name)| *name);
    line.begin();
    line.number("signal", Some(fault.signal as u64));
    line.text("signal_name", name);
    line.packed("module", entry.map(Entry::name));
    line.packed("version", entry.map(Entry::version));
    line.number("generation", entry.map(Entry::generation));
    line.digest("digest", entry.map(Entry::digest));
    line.number("age_ms", entry.map(Entry::age_ms));
    line.number("offset", found.and_then(|found| found.offset));
    line.text("attributed_by", found.map(|found| found.by.name()));
    line.number("pc", Some(fault.pc));
    line.number("address", fault.address);
    line.number("sent_by", fault.sent_by.map(|pid| pid as u64));
    line.number("at", Some(now.tv_sec as u64));
    line.number("pid", Some(pid as u64));
    line.number("tid", Some(tid as u64));
    files::append(line.end(), entry.map_or(0, Entry::owner));
}

/// Has the process die as it would have. All signals are given back at once: what was there before may end the process
/// by another one, which is no crash of its own.
fn hand_over(fault: &Fault, info: *mut siginfo_t) {
    for (signal, _) in SIGNALS {
        // Who has displaced this handler meanwhile, and then called it, is not asked to go for signals that have not come.
        if signal != fault.signal && !is_ours(&current(signal)) {
            continue;
        }
        if let Some(action) = action_displaced(signal) {
            // SAFETY: it is what was there.
            unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
        }
    }
    if fault.comes_again {
        return;
    }
    // It is blocked until the handler returns, and then comes to this thread.
    // SAFETY: they only ask for numbers.
    let (pid, tid) = unsafe { (libc::getpid(), libc::gettid()) };
    // SAFETY: `info` is what the system handed over. A process may send itself what it likes.
    let sent = unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, fault.signal, info) };
    if sent != 0 {
        // SAFETY: it takes numbers.
        unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, fault.signal) };
    }
}

// === impl Fault ===

impl Fault {
    fn of(signal: c_int, info: &siginfo_t, context: &ucontext_t) -> Self {
        let code = info.si_code;
        let is_memory = matches!(signal, libc::SIGSEGV | libc::SIGBUS);
        let is_instruction = is_memory || matches!(signal, libc::SIGILL | libc::SIGFPE);
        // After a trap, or a system call that was refused, the next instruction would run; and a page that was found damaged
        // need not be touched again.
        let is_late = signal == libc::SIGBUS && code == libc::BUS_MCEERR_AO;
        let is_sent = matches!(code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL);
        // SAFETY: a signal that was sent says by whom.
        let sender = is_sent.then(|| unsafe { info.si_pid() });
        // SAFETY: it only asks for a number.
        let sent_by = sender.filter(|sender| *sender != unsafe { libc::getpid() });
        // SAFETY: a fault says where.
        let address = (code > 0 && is_instruction).then(|| unsafe { info.si_addr() }.addr() as u64);
        let (pc, sp) = registers(context);
        Fault { signal, comes_again: code > 0 && is_instruction && !is_late, sent_by, address, pc, sp }
    }
}

/// The address of the instruction, and the stack's.
#[cfg(target_arch = "x86_64")]
fn registers(context: &ucontext_t) -> (u64, u64) {
    let registers = &context.uc_mcontext.gregs;
    (registers[libc::REG_RIP as usize] as u64, registers[libc::REG_RSP as usize] as u64)
}

/// The address of the instruction, and the stack's.
#[cfg(target_arch = "aarch64")]
fn registers(context: &ucontext_t) -> (u64, u64) {
    (context.uc_mcontext.pc, context.uc_mcontext.sp)
}
