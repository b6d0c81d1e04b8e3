//! Calls a module in a unit test, without a runtime and without a file.
//!
//! ```
//! use segue_sdk::{prelude::*, testing};
//!
//! struct Echo;
//!
//! impl Module for Echo {
//!     fn on_load(_: &Host) -> Result<Self, Fault> {
//!         Ok(Echo)
//!     }
//!
//!     fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
//!         reply.status(201).write(request.body());
//!         Ok(())
//!     }
//! }
//!
//! let echo = testing::load::<Echo>().expect("on_load agrees");
//! let answer = echo.call("POST", "/say?loud=1", b"hello").expect("no fault");
//! assert_eq!((answer.status, answer.text().as_str()), (201, "hello"));
//! ```
//!
//! What a test cannot see here is what only a loaded file has: the layout check, the log, and the unloading. For those,
//! `segue check` and `segue load` take the file that cargo built.

use segue_abi::{
    HeaderRef, ReplyRef, ReplySink, ReplyVTable, ReplyVTableRef, RequestRef,
    abi_stable::{
        prefix_type::WithMetadata,
        std_types::{RSlice, RStr},
    },
};

pub use crate::Answer;
use crate::{Fault, Host, Module, Reply, Request};

/// Makes the module, as a load does.
///
/// # Errors
///
/// The fault with which the module refuses.
pub fn load<M: Module>() -> Result<Loaded<M>, Fault> {
    M::on_load(&Host::new("test", "0.0.0", 1)).map(Loaded)
}

/// A module that was made for a test.
pub struct Loaded<M>(M);

impl<M: Module> Loaded<M> {
    /// Calls with `GET`. The target is a path, and after a question mark a query.
    ///
    /// # Errors
    ///
    /// The fault of the call.
    pub fn get(&self, target: &str) -> Result<Answer, Fault> {
        self.call("GET", target, b"")
    }

    /// Calls with any method and body. A panic of the module fails the test.
    ///
    /// # Errors
    ///
    /// The fault of the call.
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> Result<Answer, Fault> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: [HeaderRef<'_>; 0] = [];
        let request = RequestRef {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: headers.as_slice().into(),
            body: body.into(),
        };
        let mut answer = Answer { status: 200, ..Answer::default() };
        let raw = ReplyRef { sink: (&raw mut answer).cast(), vtable: VTABLE };
        // SAFETY: the sink is `answer`, as the functions of VTABLE expect, and outlives the call.
        let mut reply = unsafe { Reply::new(raw) };
        self.0.handle(&Request::new(&request), &mut reply)?;
        Ok(answer)
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

/// Never called: a test gets the fault as a value.
unsafe extern "C" fn fault(_: *mut ReplySink, _: RStr<'_>) {}
