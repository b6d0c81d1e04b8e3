//! The actions of the images and of the host.

use std::{ptr, sync::atomic::Ordering::SeqCst};

use libc::{SIG_DFL, SIG_IGN, c_int, sigaction};

use crate::{
    crash::{actions::default_action, fatal::is_fatal, table::TABLE},
    signals::{
        dispatch::{DISPATCH, PREVIOUS},
        handlers::{HANDLERS, HandlerSlot},
        host::{HOST_HANDLERS, SIGNALS_MAX, TIMER_SIGNALS},
        image_id::ImageId,
        kernel::kernel_handler,
        wake::leave_unblocked,
    },
};

/// What only those know who change it.
pub(super) struct Actions {
    pub(super) image_actions: Vec<ImageAction>,
    /// What the host did before a module handled the signal.
    pub(super) host_actions: [Option<sigaction>; SIGNALS_MAX],
    /// The handler that was given to the kernel here last.
    pub(super) installed: [Option<usize>; SIGNALS_MAX],
    /// The last serial number.
    pub(super) serial: u64,
    /// Handlers that were removed while a thread was in them. There is room for all that `image_actions` has:
    /// they may be removed in a signal handler, where nothing can be allocated.
    pub(super) running: Vec<(ImageId, c_int, &'static HandlerSlot)>,
}

/// What one image does at one signal.
pub(super) struct ImageAction {
    pub(super) image: ImageId,
    pub(super) signal: c_int,
    pub(super) action: sigaction,
    pub(super) slot: &'static HandlerSlot,
}

impl Actions {
    /// The kernel's action is the host's, unless it was given to it here, or by an image that went past this.
    pub(super) fn record_host(&mut self, signal: c_int, now: sigaction) {
        let at = signal as usize;
        if self.installed[at] == Some(now.sa_sigaction) || TABLE.contains(now.sa_sigaction) {
            return;
        }
        self.installed[at] = None;
        self.host_actions[at] = Some(now);
        HOST_HANDLERS[at].store(now.sa_sigaction, SeqCst);
    }

    /// What an image is told that the action is.
    pub(super) fn visible_to(&self, image: ImageId, signal: c_int) -> sigaction {
        if let Some(own) = self.image_actions.iter().find(|it| it.image == image && it.signal == signal) {
            return own.action;
        }
        let mut seen = self.host_actions[signal as usize].unwrap_or_else(default_action);
        let is_function = !matches!(seen.sa_sigaction, SIG_DFL | SIG_IGN);
        if is_function || is_fatal(signal) {
            seen.sa_sigaction = PREVIOUS.address();
            seen.sa_flags |= libc::SA_SIGINFO;
        }
        seen
    }

    pub(super) fn set(&mut self, image: ImageId, signal: c_int, action: sigaction) {
        let at = self.image_actions.iter().position(|it| it.image == image && it.signal == signal);
        let is_once = action.sa_flags & libc::SA_RESETHAND != 0;
        // The dispatcher calls functions only.
        let function = if action.sa_sigaction == SIG_IGN { 0 } else { action.sa_sigaction };
        let is_none = function == PREVIOUS.address() || action.sa_sigaction == SIG_DFL;
        match at {
            Some(at) if is_none => self.remove_action(at),
            Some(at) => {
                let own = &mut self.image_actions[at];
                own.action = action;
                own.slot.set(function, is_once);
            }
            None if is_none => return,
            None => {
                self.serial += 1;
                let slot = HANDLERS[signal as usize].add(image, self.serial, function, is_once);
                self.image_actions.push(ImageAction { image, signal, action, slot });
                self.running.retain(|(_, _, slot)| slot.is_running());
                self.running.reserve(self.image_actions.len());
            }
        }
        self.install(signal);
    }

    /// Takes a handler away, and allocates nothing.
    pub(super) fn remove_action(&mut self, at: usize) {
        let ImageAction { image, signal, slot, .. } = self.image_actions.swap_remove(at);
        slot.remove();
        if slot.is_running() {
            self.running.push((image, signal, slot));
        }
    }

    /// Whether a timer that a module has left behind may send it: nobody can say who set that timer, and the
    /// default action would end the process.
    fn is_timer_signal(&self, signal: c_int) -> bool {
        TIMER_SIGNALS.contains(&signal) && self.installed[signal as usize].is_some()
    }

    /// Gives the kernel what the images and the host together want.
    pub(super) fn install(&mut self, signal: c_int) {
        let at = signal as usize;
        let host = self.host_actions[at].unwrap_or_else(default_action);
        let image_actions = self.image_actions.iter().filter(|it| it.signal == signal).map(|it| &it.action);
        let is_ignored = image_actions.clone().any(|action| action.sa_sigaction == SIG_IGN);
        let functions = image_actions.filter(|action| action.sa_sigaction != SIG_IGN);
        let wanted = if functions.clone().next().is_some() {
            let is_function = !matches!(host.sa_sigaction, SIG_DFL | SIG_IGN);
            combine(signal, functions.chain(is_function.then_some(&host)))
        } else if host.sa_sigaction == SIG_DFL && (is_ignored || self.is_timer_signal(signal)) {
            sigaction { sa_sigaction: SIG_IGN, ..default_action() }
        } else {
            host
        };
        // Where the host, or a module past this, has taken the signal over since, it is not taken back for
        // the host.
        if wanted.sa_sigaction == host.sa_sigaction && kernel_handler(signal) != self.installed[at] {
            return;
        }
        // SAFETY: the handler does only what may be done in a signal handler, or the action is one that was
        // there.
        let error = unsafe { libc::sigaction(signal, &wanted, ptr::null_mut()) };
        debug_assert_eq!(error, 0, "the kernel has accepted the number before");
        self.installed[at] = Some(wanted.sa_sigaction).filter(|handler| *handler != host.sa_sigaction);
    }
}

/// The dispatcher's action, with what these want. It blocks all signals that one of them wants blocked, and
/// runs on the alternate stack if one wants that: that stack is small, so a handler must not get it unasked.
/// A fatal signal always gets it: the thread's own stack may be what overflowed. An interrupted system call
/// goes on, and a stopped child causes no signal, if all want that.
fn combine<'a>(signal: c_int, actions: impl Iterator<Item = &'a sigaction> + Clone) -> sigaction {
    const IF_ALL: c_int = libc::SA_RESTART | libc::SA_NOCLDSTOP;
    const IF_ANY: c_int = libc::SA_NOCLDWAIT | libc::SA_ONSTACK;
    let mut combined = default_action();
    combined.sa_sigaction = DISPATCH.address();
    let all = actions.clone().fold(IF_ALL, |flags, action| flags & action.sa_flags);
    let any = actions.clone().fold(0, |flags, action| flags | action.sa_flags) & IF_ANY;
    let of_fatal = if is_fatal(signal) { libc::SA_ONSTACK } else { 0 };
    combined.sa_flags = libc::SA_SIGINFO | all | any | of_fatal;
    for other in 1..=libc::SIGRTMAX() {
        // SAFETY: both sets are initialized.
        unsafe {
            if actions.clone().any(|action| libc::sigismember(&action.sa_mask, other) == 1) {
                libc::sigaddset(&mut combined.sa_mask, other);
            }
        }
    }
    leave_unblocked(&mut combined.sa_mask);
    combined
}
