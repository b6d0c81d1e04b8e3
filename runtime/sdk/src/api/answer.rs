//! What a module answered.

use segue_abi::{
    ReplyRef, ReplySink, ReplyVTable, ReplyVTableRef,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};

/// What a module answered: another one ([`ModuleHandle`](crate::ModuleHandle)), or the one under test
/// ([`testing`](crate::testing)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status; 200 where the module set none.
    pub status: u16,
    /// The headers, in the order in which they were added.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// What a module has answered that has written nothing yet.
    pub(crate) fn empty() -> Self {
        Answer { status: 200, ..Answer::default() }
    }

    /// The reply that writes here; valid while `self` is borrowed for the call.
    pub(crate) fn raw(&mut self) -> ReplyRef {
        ReplyRef { sink: (&raw mut *self).cast(), vtable: VTABLE }
    }

    /// The body as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of this name (in any case), as text.
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
/// As [`ReplyVTable`] says; the sink is an [`Answer`].
unsafe fn answer<'a>(sink: *mut ReplySink) -> &'a mut Answer {
    // SAFETY: our caller's promise; the reply writes on one thread, one piece after the other.
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

/// Never called: a fault is told as a value to a test, and as the error of its call to a module.
unsafe extern "C" fn fault(_: *mut ReplySink, _: RStr<'_>) {}
