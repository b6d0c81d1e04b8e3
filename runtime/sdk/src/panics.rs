//! Keeps panics inside the module, and hands their message and place to the host.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use segue_abi::Outcome;

use crate::host;

/// Takes over the panics of this image.
///
/// The standard hook would print, and with `RUST_BACKTRACE=1` keep the parsed debug info of the file (36 MB a version,
/// measured) in a static of this image. So there is no backtrace in here: the host gets message and place, and knows
/// which image that was.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(tell_host));
}

fn tell_host(info: &PanicHookInfo<'_>) {
    let Some(host) = host::attached() else { return };
    let message = info.payload_as_str().unwrap_or("(a panic without a message)");
    let (file, line) = info.location().map_or(("", 0), |location| (location.file(), location.line()));
    // SAFETY: the host is valid while code of this image runs, and copies what it is given.
    unsafe { host.vtable.panicked()(host.context, message.into(), file.into(), line) };
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
