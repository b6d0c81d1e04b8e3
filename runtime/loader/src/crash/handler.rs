//! The handler of the fatal signals. It writes a report and forwards the signal.
//!
//! All code in this file runs in a signal handler and is async-signal-safe: nothing allocates, locks, or
//! waits without a limit.

use std::ptr;

use libc::{c_int, c_void, siginfo_t, ucontext_t};

use crate::{
    crash::{
        actions::{current_action, previous_action, previous_handler},
        attribute::{FaultSite, attribute},
        exit::is_ending,
        fatal::SIGNALS,
        report::{ProcessEnd, Report},
        report_lock::{ReportGuard, Workspace, wait_for_others, with_report_lock},
        table::TABLE,
    },
    signal_safe::handler::Handler,
};

/// A fatal signal and its circumstances.
struct Fault {
    signal: c_int,
    /// Whether the same instruction raises it again when the handler returns.
    recurs: bool,
    /// The process that sent it, if it was another one.
    sent_by: Option<i32>,
    /// The address that could not be accessed, if that was the cause.
    address: Option<u64>,
    pc: u64,
    sp: u64,
}

/// The address of [`on_signal`] for the kernel.
pub(super) static ON_SIGNAL: Handler = Handler::new(on_signal);

/// The handler that is installed for the [`SIGNALS`].
extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes both, and they are valid during the call.
    let (fault, is_ignored) = unsafe { (Fault::of(signal, &*info, &*context.cast()), is_ignored(&*info)) };
    if is_ignored {
        return;
    }
    // SAFETY: it is the calling thread's `errno`, which the interrupted code may be about to read.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    if !is_ending() {
        with_report_lock(|guard| report(&fault, guard));
    }
    // Another thread may be writing its report, and this thread is about to end the process.
    wait_for_others();
    forward(&fault, info);
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Whether the replaced action ignored the signal. Then this handler must ignore it too. Faults are never
/// ignored, and neither is `abort`, which does not return.
fn is_ignored(info: &siginfo_t) -> bool {
    let is_abort = info.si_signo == libc::SIGABRT && info.si_code == libc::SI_TKILL;
    info.si_code <= 0 && !is_abort && previous_handler(info.si_signo) == Some(libc::SIG_IGN)
}

pub(super) fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == ON_SIGNAL.address()
}

fn report(fault: &Fault, guard: &mut ReportGuard) {
    // SAFETY: it only returns a number.
    let tid = unsafe { libc::gettid() };
    let workspace = guard.workspace();
    // If another process sent it, the code that this thread was running has nothing to do with it.
    let found = match fault.sent_by {
        None => attribute(
            &TABLE,
            workspace,
            FaultSite { pc: fault.pc, sp: fault.sp, address: fault.address },
            tid,
        ),
        Some(_) => None,
    };
    let Workspace { entry, line, .. } = workspace;
    let name = SIGNALS.iter().find(|(number, _)| *number == fault.signal).map(|(_, name)| *name);
    let report = Report {
        end: ProcessEnd::Signal(fault.signal, name.unwrap_or("another")),
        entry: found.map(|_| &*entry),
        offset: found.and_then(|found| found.offset),
        by: found.map(|found| found.by),
        pc: fault.pc,
        address: fault.address,
        sent_by: fault.sent_by,
    };
    report.write(line);
}

/// Forwards the signal to the replaced action, so the process dies as it would have died. The actions for all
/// signals are restored at once: the replaced handler may end the process with another signal, which must not
/// be reported again.
fn forward(fault: &Fault, info: *mut siginfo_t) {
    for (signal, _) in SIGNALS {
        // A later handler replaced this one and called it. It keeps the signals that have not arrived.
        if signal != fault.signal && !is_ours(&current_action(signal)) {
            continue;
        }
        if let Some(action) = previous_action(signal) {
            // SAFETY: it is the replaced action.
            unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
        }
    }
    if fault.recurs {
        return;
    }
    // The signal is blocked until this handler returns. Then this thread gets it.
    // SAFETY: they only return numbers.
    let (pid, tid) = unsafe { (libc::getpid(), libc::gettid()) };
    // SAFETY: the system passed `info`. A process may send any `info` to itself.
    let sent = unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, fault.signal, info) };
    if sent != 0 {
        // SAFETY: it takes only numbers.
        unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, fault.signal) };
    }
}

// === impl Fault ===

impl Fault {
    fn of(signal: c_int, info: &siginfo_t, context: &ucontext_t) -> Self {
        let code = info.si_code;
        let is_memory = matches!(signal, libc::SIGSEGV | libc::SIGBUS);
        let is_instruction = is_memory || matches!(signal, libc::SIGILL | libc::SIGFPE);
        // After a trap or a refused system call the next instruction would run. A memory error that was found
        // in the background (`BUS_MCEERR_AO`) does not repeat either.
        let is_asynchronous = signal == libc::SIGBUS && code == libc::BUS_MCEERR_AO;
        let is_sent = matches!(code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL);
        // SAFETY: the field is set for a signal that was sent.
        let sender = is_sent.then(|| unsafe { info.si_pid() });
        // SAFETY: it only returns a number.
        let sent_by = sender.filter(|sender| *sender != unsafe { libc::getpid() });
        // SAFETY: the field is set for a fault.
        let address = (code > 0 && is_instruction).then(|| unsafe { info.si_addr() }.addr() as u64);
        let (pc, sp) = registers(context);
        Fault { signal, recurs: code > 0 && is_instruction && !is_asynchronous, sent_by, address, pc, sp }
    }
}

/// The instruction pointer and the stack pointer.
#[cfg(target_arch = "x86_64")]
fn registers(context: &ucontext_t) -> (u64, u64) {
    let registers = &context.uc_mcontext.gregs;
    (registers[libc::REG_RIP as usize] as u64, registers[libc::REG_RSP as usize] as u64)
}

/// The instruction pointer and the stack pointer.
#[cfg(target_arch = "aarch64")]
fn registers(context: &ucontext_t) -> (u64, u64) {
    (context.uc_mcontext.pc, context.uc_mcontext.sp)
}
