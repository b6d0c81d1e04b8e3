//! One call: the request that a module reads, and the reply that it writes into memory of the host.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr},
};

/// One header of a request, borrowed from the host for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct HeaderRef<'a> {
    /// The name, in lower case.
    pub name: RStr<'a>,
    /// The value: any bytes, as they came.
    pub value: RSlice<'a, u8>,
}

/// One request, borrowed from the host for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RequestRef<'a> {
    /// The method, in capitals: `GET`.
    pub method: RStr<'a>,
    /// The path inside the module, beginning with a slash.
    pub path: RStr<'a>,
    /// What followed the question mark, still encoded; empty where there was none.
    pub query: RStr<'a>,
    /// The headers, in the order in which they came.
    pub headers: RSlice<'a, HeaderRef<'a>>,
    /// The whole body.
    pub body: RSlice<'a, u8>,
}

/// How a call into a module ended. The text that goes with anything but `Done` was handed to the host before.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The module did what it was asked.
    Done,
    /// The module returned a fault, whose text it wrote through [`ReplyVTable::fault`].
    Fault,
    /// The module panicked. Its message went through [`HostVTable::panicked`](crate::HostVTable::panicked), and the
    /// panic's payload was dropped inside the module.
    Panicked,
}

/// What a [`ReplyRef`] points at: the host knows what it is, a module does not.
#[repr(C)]
#[derive(StableAbi)]
pub struct ReplySink {
    _private: [u8; 0],
}

/// A place in the host that takes one answer.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct ReplyRef {
    /// Handed back to every function of the table.
    pub sink: *mut ReplySink,
    /// What can be written.
    pub vtable: ReplyVTableRef,
}

/// The host's functions that take an answer. Each copies what it is given before it returns.
///
/// # Safety
///
/// They are called with the `sink` of the [`ReplyRef`] they came with, during the call for which it was made, and on the
/// thread of that call.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ReplyVTableRef)))]
pub struct ReplyVTable {
    /// Sets the status; 200 where it is never called.
    pub status: unsafe extern "C" fn(sink: *mut ReplySink, status: u16),
    /// Adds a header. One that is no valid HTTP header is left out by whoever sends the answer.
    pub header: unsafe extern "C" fn(sink: *mut ReplySink, name: RStr<'_>, value: RSlice<'_, u8>),
    /// Appends to the body.
    pub write: unsafe extern "C" fn(sink: *mut ReplySink, bytes: RSlice<'_, u8>),
    /// Says why the call fails; followed by [`Outcome::Fault`].
    #[sabi(last_prefix_field)]
    pub fault: unsafe extern "C" fn(sink: *mut ReplySink, text: RStr<'_>),
}
