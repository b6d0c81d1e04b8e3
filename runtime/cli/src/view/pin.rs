//! What keeps a version in memory.

use segue::{Pin, PinKind};

use crate::text::clean;

/// A pin in one line: `call: GET /slow`.
pub(crate) fn render(pin: &Pin) -> String {
    let kind = match pin.kind {
        PinKind::Call => "call",
        PinKind::OwnedGuard => "owned guard",
        PinKind::Key => "pthread key",
        PinKind::Signal => "signal",
        PinKind::Thread => "thread",
        PinKind::Tls => "thread-local",
        PinKind::Handle => "handle",
        PinKind::Library => "library",
        PinKind::Flag => "linker",
        _ => "other",
    };
    format!("{kind}: {}", clean(&pin.detail))
}
