//! The failure of a call, kept on the thread until the call returns.

use std::cell::RefCell;

use segue_abi::Outcome;

use crate::{boundary::reply::ReplyBuffer, error::CallFault};

thread_local! {
    /// The last panic or method error inside a module on this thread, until the caller gets it.
    static LAST_FAILURE: RefCell<Option<CallFault>> = const { RefCell::new(None) };
}

/// Takes the failure of the call that has just ended on this thread.
pub(crate) fn take_failure(outcome: Outcome) -> CallFault {
    let last = LAST_FAILURE.try_with(|last| last.borrow_mut().take()).ok().flatten();
    let nothing = || "(the module gave no reason)".to_owned();
    match (outcome, last) {
        (Outcome::Panicked, Some(panic @ CallFault::Panicked { .. })) => panic,
        // Not expected: the SDK reports each panic that ends a call.
        (Outcome::Panicked, _) => {
            CallFault::Panicked { message: nothing(), file: "unknown".to_owned(), line: 0 }
        }
        (_, Some(fault @ CallFault::Fault { .. })) => fault,
        _ => CallFault::Fault { text: nothing() },
    }
}

/// Keeps the failure of the call that is about to end on this thread. Fails only on a thread that is ending,
/// where no call needs it.
pub(super) fn keep_failure(failure: CallFault) {
    let _ = LAST_FAILURE.try_with(|last| *last.borrow_mut() = Some(failure));
}

/// The failure of a call with this outcome.
pub(crate) fn fault(outcome: Outcome, reply: ReplyBuffer) -> CallFault {
    match outcome {
        Outcome::Panicked => take_failure(outcome),
        Outcome::Fault => CallFault::Fault { text: reply.fault },
        Outcome::Done => CallFault::Fault { text: "on_load returned no value".to_owned() },
    }
}
