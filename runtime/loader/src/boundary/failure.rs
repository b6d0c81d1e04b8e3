//! Why a call failed.

use std::cell::RefCell;

use segue_abi::Outcome;

use crate::{boundary::reply::ReplyBuffer, error::CallFault};

thread_local! {
    /// The calling thread's last panic inside a module, or the last fault of a method, until the call that it ended is told.
    static LAST_FAILURE: RefCell<Option<CallFault>> = const { RefCell::new(None) };
}

/// Why a call ended so that has just ended on this thread.
pub(crate) fn take_failure(outcome: Outcome) -> CallFault {
    let last = LAST_FAILURE.try_with(|last| last.borrow_mut().take()).ok().flatten();
    let nothing = || "(the module did not say)".to_owned();
    match (outcome, last) {
        (Outcome::Panicked, Some(panic @ CallFault::Panicked { .. })) => panic,
        // Its SDK tells each panic that ends a call.
        (Outcome::Panicked, _) => {
            CallFault::Panicked { message: nothing(), file: "unknown".to_owned(), line: 0 }
        }
        (_, Some(fault @ CallFault::Fault { .. })) => fault,
        _ => CallFault::Fault { text: nothing() },
    }
}

/// Keeps why the call on this thread is about to end. Fails only on a thread that is ending, where no call waits for it.
pub(super) fn keep_failure(failure: CallFault) {
    let _ = LAST_FAILURE.try_with(|last| *last.borrow_mut() = Some(failure));
}

/// What to tell of a call that was not done.
pub(crate) fn fault(outcome: Outcome, reply: ReplyBuffer) -> CallFault {
    match outcome {
        Outcome::Panicked => take_failure(outcome),
        Outcome::Fault => CallFault::Fault { text: reply.fault },
        Outcome::Done => CallFault::Fault { text: "it made no state".to_owned() },
    }
}
