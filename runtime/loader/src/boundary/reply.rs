//! The host's buffer for the reply of a module.

use segue_abi::{
    ReplyRef, ReplySink, ReplyVTable, ReplyVTableRef,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};

/// The buffer for one reply. It is the host's memory, so it stays valid after the module is unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyBuffer {
    /// The status; 200 if the module sets none.
    pub status: u16,
    /// The headers, in the order in which they were added. Names are any text, and values any bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The text of the error, if there was one.
    pub(crate) fault: String,
}

impl ReplyBuffer {
    /// An empty reply. It does not allocate.
    pub const fn new() -> Self {
        ReplyBuffer { status: 200, headers: Vec::new(), body: Vec::new(), fault: String::new() }
    }

    /// The reply that a module writes through. It is valid while the buffer is borrowed for the call.
    pub(crate) fn raw(&mut self) -> ReplyRef {
        ReplyRef { sink: std::ptr::from_mut(self).cast(), vtable: VTABLE }
    }

    /// Copies the content to another reply.
    ///
    /// # Safety
    ///
    /// As [`ReplyVTable`] requires: `reply` must belong to a call that is running on this thread.
    pub(crate) unsafe fn write_to(&self, reply: ReplyRef) {
        let ReplyRef { sink, vtable } = reply;
        // SAFETY: guaranteed by the caller.
        unsafe { vtable.status()(sink, self.status) };
        for (name, value) in &self.headers {
            // SAFETY: guaranteed by the caller.
            unsafe { vtable.header()(sink, name.as_str().into(), value.as_slice().into()) };
        }
        // SAFETY: guaranteed by the caller.
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

// A module calls these four functions, so they must not unwind. They can fail only by running out of memory,
// which ends the process.

/// # Safety
///
/// As [`ReplyVTable`] requires. The sink must be a [`ReplyBuffer`].
unsafe fn buffer<'a>(sink: *mut ReplySink) -> &'a mut ReplyBuffer {
    // SAFETY: guaranteed by the caller: the sink came from `ReplyBuffer::raw`, whose borrow lasts for the
    // call, and a reply is written only on the thread of the call.
    unsafe { &mut *sink.cast::<ReplyBuffer>() }
}

unsafe extern "C" fn status(sink: *mut ReplySink, status: u16) {
    // SAFETY: guaranteed by the caller.
    unsafe { buffer(sink) }.status = status;
}

unsafe extern "C" fn header(sink: *mut ReplySink, name: RStr<'_>, value: RSlice<'_, u8>) {
    // SAFETY: guaranteed by the caller.
    unsafe { buffer(sink) }.headers.push((name.as_str().to_owned(), value.as_slice().to_vec()));
}

unsafe extern "C" fn write(sink: *mut ReplySink, bytes: RSlice<'_, u8>) {
    // SAFETY: guaranteed by the caller.
    unsafe { buffer(sink) }.body.extend_from_slice(bytes.as_slice());
}

unsafe extern "C" fn fault(sink: *mut ReplySink, text: RStr<'_>) {
    // SAFETY: guaranteed by the caller.
    unsafe { buffer(sink) }.fault = text.as_str().to_owned();
}
