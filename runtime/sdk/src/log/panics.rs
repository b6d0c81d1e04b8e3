//! Keeps panics inside the module.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
};

use segue_abi::Outcome;

use crate::log::{panic_hook, panic_report};

/// Reports a panic that has ended a call, unless the hook has reported it. The hook has not if the module has
/// replaced it, or if `resume_unwind` was called, which runs no hook.
pub(crate) fn report_if_missed(payload: &(dyn Any + Send)) {
    let text =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or(panic_report::NO_MESSAGE);
    if panic_report::take_reported(message) {
        return;
    }
    let reason = "location unknown: the module has bypassed the runtime's panic hook, or resumed this panic";
    panic_report::send(&format!("{message} ({reason})"), "unknown", 0);
    panic_hook::install();
}

/// Runs `body`. A panic and its payload stay inside this image.
pub(crate) fn catch(body: impl FnOnce() -> Outcome) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(segue_interface::__private::panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("second panic");
        }
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_caught() {
        assert_eq!(catch(|| std::panic::panic_any(PanicsOnDrop)), Outcome::Panicked);
        assert_eq!(catch(|| Outcome::Done), Outcome::Done);
    }
}
