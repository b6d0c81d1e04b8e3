//! The memory of the host that takes a module's answer.

use segue_abi::{
    ReplyRef, ReplySink, ReplyVTable, ReplyVTableRef,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};

/// Takes one answer. It is the host's own: it stays valid whatever becomes of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyBuffer {
    /// The status; 200 where the module set none.
    pub status: u16,
    /// The headers, in the order in which they were added: any text and any bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The text of the fault, where there was one.
    pub(crate) fault: String,
}

impl ReplyBuffer {
    /// An empty answer; it allocates nothing.
    pub const fn new() -> Self {
        ReplyBuffer { status: 200, headers: Vec::new(), body: Vec::new(), fault: String::new() }
    }

    /// The reply that a module writes through. It is valid while the buffer is borrowed for the call.
    pub(crate) fn raw(&mut self) -> ReplyRef {
        ReplyRef { sink: std::ptr::from_mut(self).cast(), vtable: VTABLE }
    }

    /// Hands the answer on.
    ///
    /// # Safety
    ///
    /// As [`ReplyVTable`] says: `reply` is that of a call that goes on, on this thread.
    pub(crate) unsafe fn write_to(&self, reply: ReplyRef) {
        let ReplyRef { sink, vtable } = reply;
        // SAFETY: our caller's promise.
        unsafe { vtable.status()(sink, self.status) };
        for (name, value) in &self.headers {
            // SAFETY: our caller's promise.
            unsafe { vtable.header()(sink, name.as_str().into(), value.as_slice().into()) };
        }
        // SAFETY: our caller's promise.
        unsafe { vtable.write()(sink, self.body.as_slice().into()) };
    }
}

impl Default for ReplyBuffer {
    fn default() -> Self {
        ReplyBuffer::new()
    }
}

const VTABLE: ReplyVTableRef = {
    const TABLE: &WithMetadata<ReplyVTable> =
        &WithMetadata::new(ReplyVTable { status, header, write, fault });
    ReplyVTableRef(TABLE.static_as_prefix())
};

// These four run on the module's side of the stack and must not unwind: all they can meet is running out of memory, which
// ends the process.

/// # Safety
///
/// As [`ReplyVTable`] says; the sink is a [`ReplyBuffer`].
unsafe fn buffer<'a>(sink: *mut ReplySink) -> &'a mut ReplyBuffer {
    // SAFETY: our caller's promise: the sink came from `ReplyBuffer::raw`, whose borrow lasts for the call, and a reply
    // writes on the call's thread only.
    unsafe { &mut *sink.cast::<ReplyBuffer>() }
}

unsafe extern "C" fn status(sink: *mut ReplySink, status: u16) {
    // SAFETY: our caller's promise.
    unsafe { buffer(sink) }.status = status;
}

unsafe extern "C" fn header(sink: *mut ReplySink, name: RStr<'_>, value: RSlice<'_, u8>) {
    // SAFETY: our caller's promise.
    unsafe { buffer(sink) }.headers.push((name.as_str().to_owned(), value.as_slice().to_vec()));
}

unsafe extern "C" fn write(sink: *mut ReplySink, bytes: RSlice<'_, u8>) {
    // SAFETY: our caller's promise.
    unsafe { buffer(sink) }.body.extend_from_slice(bytes.as_slice());
}

unsafe extern "C" fn fault(sink: *mut ReplySink, text: RStr<'_>) {
    // SAFETY: our caller's promise.
    unsafe { buffer(sink) }.fault = text.as_str().to_owned();
}
