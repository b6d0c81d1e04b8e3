//! Signal handlers of modules: unmapping their code ends the process at the next such signal.
//!
//! Crates that chain handlers (signal-hook-registry, and so `tokio::signal` and ctrlc) save the previous
//! handler and call it from their own. The previous handler may be code of an older version, which leaves
//! memory while the newer one still calls it. So a module's `sigaction` leads here ([`act`]). The kernel gets
//! one handler of the runtime's for each signal ([`dispatch`]), which calls the handlers of all images in
//! memory and that of the host. A module never learns the address of another image's handler, and cannot take
//! a signal away from the host. When an image goes, its handlers go ([`remove`]).

mod dispatch;
mod handlers;
mod lock;
mod name;
mod wake;

use std::{
    ops::Range,
    ptr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use libc::{SIG_DFL, SIG_IGN, c_int, sigaction};

use crate::crash::{self, TABLE, nothing};
use dispatch::{DISPATCH, PREVIOUS};
use handlers::{Handlers, Slot};

pub(crate) use handlers::leave;
pub use name::name;
pub use wake::wake_signal;

/// One more than the highest signal of Linux.
const SIGNALS_MAX: usize = 65;

/// The handlers of the images, by signal.
static HANDLERS: [Handlers; SIGNALS_MAX] = [const { Handlers::new() }; SIGNALS_MAX];

/// What the host does at each signal. SeqCst, though nothing else is read with it: a signal is no place to
/// count cycles.
static HOST: [AtomicUsize; SIGNALS_MAX] = [const { AtomicUsize::new(SIG_DFL) }; SIGNALS_MAX];

/// What only those know who change it.
struct Actions {
    of_images: Vec<OfImage>,
    /// What the host did before a module handled the signal.
    of_host: [Option<sigaction>; SIGNALS_MAX],
    /// The handler that was given to the kernel here last.
    ours: [Option<usize>; SIGNALS_MAX],
    /// The last serial number.
    serial: u64,
    /// Handlers that were removed while a thread was in them. There is room for all that `of_images` has:
    /// they may be removed in a signal handler, where nothing can be allocated.
    running: Vec<(ImageId, c_int, &'static Slot)>,
}

/// What one image does at one signal.
struct OfImage {
    image: ImageId,
    signal: c_int,
    action: sigaction,
    slot: &'static Slot,
}

/// An image, by the address of what the host keeps for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageId(pub(crate) usize);

/// Does what `sigaction` does, for code of an image. The previous action is the image's own, or else that of
/// the host.
///
/// A signal handler may call it, as POSIX has it. To change or remove a handler allocates nothing. To add one
/// may, so a signal handler that adds one for a signal that its image did not handle must not have
/// interrupted an allocation.
///
/// # Safety
///
/// As `sigaction`.
pub(crate) unsafe fn act(
    image: ImageId,
    signal: c_int,
    action: *const sigaction,
    previous: *mut sigaction,
) -> c_int {
    // Read here and written at the end, without the lock: if the address is bad, the handler of that fault
    // may come here.
    // SAFETY: our caller's promise.
    let wanted = unsafe { action.as_ref() }.copied();
    let mut actions = lock::actions();
    let mut now = nothing();
    // SAFETY: it only asks, and `now` can be written. An error is the answer: of a signal that does not exist
    // or is libc's own.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut now) };
    if error != 0 || (wanted.is_some() && matches!(signal, libc::SIGKILL | libc::SIGSTOP)) {
        drop(actions);
        // SAFETY: our caller's promise, handed on. It fails.
        return unsafe { libc::sigaction(signal, action, previous) };
    }
    actions.note_host(signal, now);
    let before = actions.seen_by(image, signal);
    if let Some(wanted) = wanted {
        actions.set(image, signal, wanted);
    }
    drop(actions);
    if !previous.is_null() {
        // SAFETY: our caller's promise.
        unsafe { previous.write(before) };
    }
    0
}

/// Takes all handlers of an image away, and answers with the signals of those that a thread is in still.
pub(crate) fn remove(image: ImageId) -> Vec<c_int> {
    let mut actions = lock::actions();
    while let Some(at) = actions.of_images.iter().position(|it| it.image == image) {
        let signal = actions.of_images[at].signal;
        actions.remove(at);
        actions.tell_kernel(signal);
    }
    actions.running.retain(|(_, _, slot)| slot.is_running());
    actions.running.iter().filter(|(of, ..)| *of == image).map(|(_, signal, _)| *signal).collect()
}

/// The signals whose handlers, as the kernel knows them, lie in this range of addresses.
pub(crate) fn handled_in(image: &Range<usize>) -> Vec<c_int> {
    // One that was displaced by the runtime's own handler gets its signals from that.
    let is_in = |signal: &c_int| {
        [handler(*signal), crash::displaced(*signal)].into_iter().flatten().any(|at| image.contains(&at))
    };
    (1..=libc::SIGRTMAX()).filter(is_in).collect()
}

impl Actions {
    /// The kernel's action is the host's, unless it was given to it here, or by an image that went past this.
    fn note_host(&mut self, signal: c_int, now: sigaction) {
        let at = signal as usize;
        if self.ours[at] == Some(now.sa_sigaction) || TABLE.has(now.sa_sigaction) {
            return;
        }
        self.ours[at] = None;
        self.of_host[at] = Some(now);
        HOST[at].store(now.sa_sigaction, SeqCst);
    }

    /// What an image is told that the action is.
    fn seen_by(&self, image: ImageId, signal: c_int) -> sigaction {
        if let Some(own) = self.of_images.iter().find(|it| it.image == image && it.signal == signal) {
            return own.action;
        }
        let mut seen = self.of_host[signal as usize].unwrap_or_else(nothing);
        let is_function = !matches!(seen.sa_sigaction, SIG_DFL | SIG_IGN);
        if is_function || crash::is_fatal(signal) {
            seen.sa_sigaction = PREVIOUS.address();
            seen.sa_flags |= libc::SA_SIGINFO;
        }
        seen
    }

    fn set(&mut self, image: ImageId, signal: c_int, action: sigaction) {
        let at = self.of_images.iter().position(|it| it.image == image && it.signal == signal);
        let is_once = action.sa_flags & libc::SA_RESETHAND != 0;
        // The dispatcher calls functions only.
        let function = if action.sa_sigaction == SIG_IGN { 0 } else { action.sa_sigaction };
        let is_none = function == PREVIOUS.address() || action.sa_sigaction == SIG_DFL;
        match at {
            Some(at) if is_none => self.remove(at),
            Some(at) => {
                let own = &mut self.of_images[at];
                own.action = action;
                own.slot.set(function, is_once);
            }
            None if is_none => return,
            None => {
                self.serial += 1;
                let slot = HANDLERS[signal as usize].add(image, self.serial, function, is_once);
                self.of_images.push(OfImage { image, signal, action, slot });
                self.running.retain(|(_, _, slot)| slot.is_running());
                self.running.reserve(self.of_images.len());
            }
        }
        self.tell_kernel(signal);
    }

    /// Takes a handler away, and allocates nothing.
    fn remove(&mut self, at: usize) {
        let OfImage { image, signal, slot, .. } = self.of_images.swap_remove(at);
        slot.remove();
        if slot.is_running() {
            self.running.push((image, signal, slot));
        }
    }

    /// Whether a timer that a module has left behind may send it: nobody can say who set that timer, and the
    /// default action would end the process.
    fn is_of_a_timer(&self, signal: c_int) -> bool {
        OF_TIMERS.contains(&signal) && self.ours[signal as usize].is_some()
    }

    /// Gives the kernel what the images and the host together want.
    fn tell_kernel(&mut self, signal: c_int) {
        let at = signal as usize;
        let host = self.of_host[at].unwrap_or_else(nothing);
        let of_images = self.of_images.iter().filter(|it| it.signal == signal).map(|it| &it.action);
        let is_ignored = of_images.clone().any(|action| action.sa_sigaction == SIG_IGN);
        let functions = of_images.filter(|action| action.sa_sigaction != SIG_IGN);
        let wanted = if functions.clone().next().is_some() {
            let is_function = !matches!(host.sa_sigaction, SIG_DFL | SIG_IGN);
            together(functions.chain(is_function.then_some(&host)))
        } else if host.sa_sigaction == SIG_DFL && (is_ignored || self.is_of_a_timer(signal)) {
            sigaction { sa_sigaction: SIG_IGN, ..nothing() }
        } else {
            host
        };
        // Where the host, or a module past this, has taken the signal over since, it is not taken back for
        // the host.
        if wanted.sa_sigaction == host.sa_sigaction && handler(signal) != self.ours[at] {
            return;
        }
        // SAFETY: the handler does only what may be done in a signal handler, or the action is one that was
        // there.
        let error = unsafe { libc::sigaction(signal, &wanted, ptr::null_mut()) };
        debug_assert_eq!(error, 0, "the kernel has accepted the number before");
        self.ours[at] = Some(wanted.sa_sigaction).filter(|handler| *handler != host.sa_sigaction);
    }
}

/// The signals of `setitimer` and `alarm`.
const OF_TIMERS: [c_int; 3] = [libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF];

/// The dispatcher's action, with what these want: all signals blocked that one wants blocked; a system call
/// goes on, and a stopped child is not told, if all want that.
fn together<'a>(actions: impl Iterator<Item = &'a sigaction> + Clone) -> sigaction {
    const IF_ALL: c_int = libc::SA_RESTART | libc::SA_NOCLDSTOP;
    let mut whole = nothing();
    whole.sa_sigaction = DISPATCH.address();
    let all = actions.clone().fold(IF_ALL, |flags, action| flags & action.sa_flags);
    let any = actions.clone().fold(0, |flags, action| flags | action.sa_flags) & libc::SA_NOCLDWAIT;
    whole.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | all | any;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: both sets are initialized.
        unsafe {
            if actions.clone().any(|action| libc::sigismember(&action.sa_mask, signal) == 1) {
                libc::sigaddset(&mut whole.sa_mask, signal);
            }
        }
    }
    wake::leave_unblocked(&mut whole.sa_mask);
    whole
}

/// What the host does at a signal that a module handles. Safe in a signal handler.
fn host_handler(signal: c_int) -> usize {
    usize::try_from(signal).ok().and_then(|at| HOST.get(at)).map_or(SIG_DFL, |host| host.load(SeqCst))
}

/// Where the handler of a signal is. None for those that libc keeps for itself.
fn handler(signal: c_int) -> Option<usize> {
    let mut action = nothing();
    // SAFETY: it only asks, and `action` can be written.
    let error = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    (error == 0).then_some(action.sa_sigaction)
}

#[cfg(test)]
mod tests;
