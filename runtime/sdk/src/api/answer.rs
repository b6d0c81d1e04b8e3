//! The answer of a module, collected in memory of the caller.

use segue_abi::{
    ReplyRef, ReplySink, ReplyVTable, ReplyVTableRef,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};

/// The answer of a module: of another module ([`ModuleHandle`](crate::ModuleHandle)), or of the module under
/// test ([`testing`](crate::testing)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status. 200 if the module set none.
    pub status: u16,
    /// The headers, in the order in which the module added them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer of a module that has written nothing yet.
    pub(crate) fn empty() -> Self {
        Answer { status: 200, ..Answer::default() }
    }

    /// A reply that writes to this answer. It is valid while `self` is borrowed for the call.
    pub(crate) fn as_reply(&mut self) -> ReplyRef {
        ReplyRef { sink: (&raw mut *self).cast(), vtable: VTABLE }
    }

    /// The body as text. Invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header with this name, as text. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

const VTABLE: ReplyVTableRef = {
    const TABLE: &WithMetadata<ReplyVTable> =
        &WithMetadata::new(ReplyVTable { status, header, write, fault });
    ReplyVTableRef(TABLE.static_as_prefix())
};

/// # Safety
///
/// As [`ReplyVTable`] requires. The sink is an [`Answer`].
unsafe fn answer<'a>(sink: *mut ReplySink) -> &'a mut Answer {
    // SAFETY: our caller's promise. A reply makes these calls on one thread, one after the other.
    unsafe { &mut *sink.cast::<Answer>() }
}

unsafe extern "C" fn status(sink: *mut ReplySink, status: u16) {
    // SAFETY: our caller's promise.
    unsafe { answer(sink) }.status = status;
}

unsafe extern "C" fn header(sink: *mut ReplySink, name: RStr<'_>, value: RSlice<'_, u8>) {
    // SAFETY: our caller's promise.
    unsafe { answer(sink) }.headers.push((name.as_str().to_owned(), value.to_vec()));
}

unsafe extern "C" fn write(sink: *mut ReplySink, bytes: RSlice<'_, u8>) {
    // SAFETY: our caller's promise.
    unsafe { answer(sink) }.body.extend_from_slice(bytes.as_slice());
}

/// Never called: a test gets a fault as a value, and a calling module gets it as the error of its call.
unsafe extern "C" fn fault(_: *mut ReplySink, _: RStr<'_>) {}
