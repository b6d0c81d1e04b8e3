//! The handler of the fatal signals: it writes whose code it was, and hands the signal over.
//!
//! All of this file is run in a signal handler, and does only what is safe there: nothing allocates, locks, or waits for ever.

use std::ptr;

use libc::{c_int, c_void, siginfo_t, ucontext_t};

use crate::{
    crash::{
        actions::{action_displaced, current, displaced},
        attribute::{FaultSite, attribute},
        exit::is_ending,
        fatal::SIGNALS,
        report::{ProcessEnd, Report},
        report_lock::{ReportGuard, Workspace, wait_for_others, with_report_lock},
        table::TABLE,
    },
    signal_safe::handler::Handler,
};

/// What a signal says of itself.
struct Fault {
    signal: c_int,
    /// Whether it comes again by itself, at the same instruction, when the handler returns.
    recurs: bool,
    /// The process that sent it, where it was another one.
    sent_by: Option<i32>,
    /// The address that was not to be reached, where it was that.
    address: Option<u64>,
    pc: u64,
    sp: u64,
}

/// [`on_signal`], as the kernel knows it.
pub(super) static ON_SIGNAL: Handler = Handler::new(on_signal);

/// What is installed for the [`SIGNALS`].
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
    if !is_ending() {
        with_report_lock(|turn| report(&fault, turn));
    }
    // Another thread may be in the midst of its report, and this one is about to end the process.
    wait_for_others();
    forward(&fault, info);
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Whether nothing would have come of it: who displaced "ignore" must not make more of it. Faults are never ignored, nor is
/// `abort`, which does not come back.
fn is_ignored(info: &siginfo_t) -> bool {
    let is_abort = info.si_signo == libc::SIGABRT && info.si_code == libc::SI_TKILL;
    info.si_code <= 0 && !is_abort && displaced(info.si_signo) == Some(libc::SIG_IGN)
}

pub(super) fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == ON_SIGNAL.address()
}

fn report(fault: &Fault, turn: &mut ReportGuard) {
    // SAFETY: it only asks for a number.
    let tid = unsafe { libc::gettid() };
    let workspace = turn.workspace();
    // Where another process sent it, it is by chance what this thread was doing.
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

/// Has the process die as it would have. All signals are given back at once: what was there before may end the process
/// by another one, which is no crash of its own.
fn forward(fault: &Fault, info: *mut siginfo_t) {
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
    if fault.recurs {
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
        Fault { signal, recurs: code > 0 && is_instruction && !is_late, sent_by, address, pc, sp }
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
