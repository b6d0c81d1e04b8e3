//! The signal actions of the images and of the host, and the action that the kernel gets for both.

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
        wake::unblock_wake_signal,
    },
};

/// The signal actions. Guarded by the lock in [`lock`](super::lock).
pub(super) struct Actions {
    pub(super) image_actions: Vec<ImageAction>,
    /// The host's action from before a module handled the signal.
    pub(super) host_actions: [Option<sigaction>; SIGNALS_MAX],
    /// The handler that this module installed in the kernel last.
    pub(super) installed: [Option<usize>; SIGNALS_MAX],
    /// The last serial number.
    pub(super) serial: u64,
    /// Handlers that were removed while a thread was running them. It has capacity for all `image_actions`,
    /// because they may be removed in a signal handler, which must not allocate.
    pub(super) running: Vec<(ImageId, c_int, &'static HandlerSlot)>,
}

/// The action of one image for one signal.
pub(super) struct ImageAction {
    pub(super) image: ImageId,
    pub(super) signal: c_int,
    pub(super) action: sigaction,
    pub(super) slot: &'static HandlerSlot,
}

impl Actions {
    /// Records the kernel's action as the host's, unless this module or an image without the SDK installed
    /// it.
    pub(super) fn record_host(&mut self, signal: c_int, now: sigaction) {
        let at = signal as usize;
        if self.installed[at] == Some(now.sa_sigaction) || TABLE.contains(now.sa_sigaction) {
            return;
        }
        self.installed[at] = None;
        self.host_actions[at] = Some(now);
        HOST_HANDLERS[at].store(now.sa_sigaction, SeqCst);
    }

    /// The action that an image sees as the current one.
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
        // The dispatcher only calls functions.
        let function = if action.sa_sigaction == SIG_IGN { 0 } else { action.sa_sigaction };
        let is_removal = function == PREVIOUS.address() || action.sa_sigaction == SIG_DFL;
        match at {
            Some(at) if is_removal => self.remove_action(at),
            Some(at) => {
                let own = &mut self.image_actions[at];
                own.action = action;
                own.slot.set(function, is_once);
            }
            None if is_removal => return,
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

    /// Removes a handler without allocating.
    pub(super) fn remove_action(&mut self, at: usize) {
        let ImageAction { image, signal, slot, .. } = self.image_actions.swap_remove(at);
        slot.remove();
        if slot.is_running() {
            self.running.push((image, signal, slot));
        }
    }

    /// Whether a timer that a module left running may send this signal. The owner of a timer is unknown, and
    /// the default action would end the process.
    fn is_timer_signal(&self, signal: c_int) -> bool {
        TIMER_SIGNALS.contains(&signal) && self.installed[signal as usize].is_some()
    }

    /// Installs the combined action of the images and the host in the kernel.
    pub(super) fn install(&mut self, signal: c_int) {
        let at = signal as usize;
        let host = self.host_actions[at].unwrap_or_else(default_action);
        let image_actions = self.image_actions.iter().filter(|it| it.signal == signal).map(|it| &it.action);
        let is_ignored = image_actions.clone().any(|action| action.sa_sigaction == SIG_IGN);
        let functions = image_actions.filter(|action| action.sa_sigaction != SIG_IGN);
        let combined = if functions.clone().next().is_some() {
            let is_function = !matches!(host.sa_sigaction, SIG_DFL | SIG_IGN);
            combine(signal, functions.chain(is_function.then_some(&host)))
        } else if host.sa_sigaction == SIG_DFL && (is_ignored || self.is_timer_signal(signal)) {
            sigaction { sa_sigaction: SIG_IGN, ..default_action() }
        } else {
            host
        };
        // If the host, or a module without the SDK, has installed a handler meanwhile, it stays.
        if combined.sa_sigaction == host.sa_sigaction && kernel_handler(signal) != self.installed[at] {
            return;
        }
        // SAFETY: the handler is async-signal-safe, or the action is a previous one.
        let error = unsafe { libc::sigaction(signal, &combined, ptr::null_mut()) };
        debug_assert_eq!(error, 0, "the kernel accepted this signal before");
        self.installed[at] = Some(combined.sa_sigaction).filter(|handler| *handler != host.sa_sigaction);
    }
}

/// The dispatcher's action, with the combined flags and masks of these actions. It blocks each signal that
/// one of them blocks. It runs on the alternate stack if one of them requests that; otherwise not, because
/// that stack is small. A fatal signal always uses it, because the thread's own stack may have overflowed.
/// `SA_RESTART` and `SA_NOCLDSTOP` are set if all of them set the flag.
fn combine<'a>(signal: c_int, actions: impl Iterator<Item = &'a sigaction> + Clone) -> sigaction {
    const IF_ALL: c_int = libc::SA_RESTART | libc::SA_NOCLDSTOP;
    const IF_ANY: c_int = libc::SA_NOCLDWAIT | libc::SA_ONSTACK;
    let mut combined = default_action();
    combined.sa_sigaction = DISPATCH.address();
    let all = actions.clone().fold(IF_ALL, |flags, action| flags & action.sa_flags);
    let any = actions.clone().fold(0, |flags, action| flags | action.sa_flags) & IF_ANY;
    let for_fatal = if is_fatal(signal) { libc::SA_ONSTACK } else { 0 };
    combined.sa_flags = libc::SA_SIGINFO | all | any | for_fatal;
    for other in 1..=libc::SIGRTMAX() {
        // SAFETY: both sets are initialized.
        unsafe {
            if actions.clone().any(|action| libc::sigismember(&action.sa_mask, other) == 1) {
                libc::sigaddset(&mut combined.sa_mask, other);
            }
        }
    }
    unblock_wake_signal(&mut combined.sa_mask);
    combined
}
