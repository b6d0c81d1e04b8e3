//! Keeps panics inside the module.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
};

use segue_abi::Outcome;

use crate::log::{panic_hook, panic_report};

/// Tells the host of a panic that has ended a call, if the hook has not: the module has replaced it, or
/// `resume_unwind` was called, which runs no hook.
pub(crate) fn tell_untold(payload: &(dyn Any + Send)) {
    let text =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or(panic_report::NO_MESSAGE);
    if panic_report::was_told(message) {
        return;
    }
    let why = "the place is unknown: the module keeps panics from the runtime's hook, or resumed this one";
    panic_report::send(&format!("{message} ({why})"), "unknown", 0);
    panic_hook::restore();
}

/// Runs `body`, and keeps a panic in it, with its payload, inside this image.
pub(crate) fn contain(body: impl FnOnce() -> Outcome) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(segue_interface::__private::panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stubborn;
    impl Drop for Stubborn {
        fn drop(&mut self) {
            panic!("and again");
        }
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        assert_eq!(contain(|| std::panic::panic_any(Stubborn)), Outcome::Panicked);
        assert_eq!(contain(|| Outcome::Done), Outcome::Done);
    }
}
