//! One call: the request that a module reads, and the reply that it writes into host memory.

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
    /// The value, as received. It may be any bytes.
    pub value: RSlice<'a, u8>,
}

/// One request, borrowed from the host for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RequestRef<'a> {
    /// The method, in upper case: `GET`.
    pub method: RStr<'a>,
    /// The path inside the module. It starts with a slash.
    pub path: RStr<'a>,
    /// The query string after the question mark, still encoded. May be empty.
    pub query: RStr<'a>,
    /// The headers, in the order in which they were received.
    pub headers: RSlice<'a, HeaderRef<'a>>,
    /// The complete body.
    pub body: RSlice<'a, u8>,
}

/// How a call into a module ended. Unless it is `Done`, the module has passed a text to the host before it
/// returned.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call succeeded.
    Done,
    /// The module returned a fault. It has written the text with [`ReplyVTable::fault`].
    Fault,
    /// The module panicked. It has reported the message with
    /// [`HostVTable::panicked`](crate::HostVTable::panicked), and has dropped the panic's payload inside the
    /// module.
    Panicked,
}

/// The context of a [`ReplyRef`]. Only the host knows its type.
#[repr(C)]
#[derive(StableAbi)]
pub struct ReplySink {
    _private: [u8; 0],
}

/// Writes one reply into host memory.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct ReplyRef {
    /// The first argument of each function in the table.
    pub sink: *mut ReplySink,
    /// The functions.
    pub vtable: ReplyVTableRef,
}

/// The host's functions that write a reply. Each copies its arguments before it returns.
///
/// # Safety
///
/// Call them with the `sink` of the same [`ReplyRef`], during the call that the [`ReplyRef`] was made for,
/// and on the thread of that call.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ReplyVTableRef)))]
pub struct ReplyVTable {
    /// Sets the status. Without it the status is 200.
    pub status: unsafe extern "C" fn(sink: *mut ReplySink, status: u16),
    /// Adds a header. The sender of the reply omits a header that is not valid in HTTP.
    pub header: unsafe extern "C" fn(sink: *mut ReplySink, name: RStr<'_>, value: RSlice<'_, u8>),
    /// Appends to the body.
    pub write: unsafe extern "C" fn(sink: *mut ReplySink, bytes: RSlice<'_, u8>),
    /// Sets the text of a fault. The call then returns [`Outcome::Fault`].
    #[sabi(last_prefix_field)]
    pub fault: unsafe extern "C" fn(sink: *mut ReplySink, text: RStr<'_>),
}
