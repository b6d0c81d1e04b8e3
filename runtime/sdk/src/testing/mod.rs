//! Tests of a module: call it without a runtime, or check that its built file unloads.
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
//! let echo = testing::load::<Echo>().expect("on_load succeeds");
//! let answer = echo.call("POST", "/say?loud=1", b"hello").expect("no fault");
//! assert_eq!((answer.status, answer.text().as_str()), (201, "hello"));
//! ```
//!
//! [`load`] runs the module's code inside the test. It cannot cover what only a loaded file has: the layout
//! check, the log, and unloading. [`leaves!`] covers these. It builds the file, and `segue probe`
//! then loads it, calls it, replaces it and unloads it.

// Room: a line belongs here if a module's tests call it. It may use `api` and the rooms below.

pub(crate) mod leaves;

#[doc(inline)]
pub use crate::__leaves as leaves;
pub use crate::api::Answer;
use crate::{
    Fault,
    api::{Host, Module, Reply, Request, request},
};

/// Makes the module's value, as a load does.
///
/// # Errors
///
/// The fault of `on_load`.
pub fn load<M: Module>() -> Result<Loaded<M>, Fault> {
    M::on_load(&Host::new("test", "0.0.0", 1)).map(Loaded)
}

/// A module that [`load`] made.
pub struct Loaded<M>(M);

impl<M: Module> Loaded<M> {
    /// Calls the module with `GET`. `target` is a path, optionally followed by `?` and a query.
    ///
    /// # Errors
    ///
    /// The fault of the call.
    pub fn get(&self, target: &str) -> Result<Answer, Fault> {
        self.call("GET", target, b"")
    }

    /// Calls the module with any method and body. A panic of the module fails the test.
    ///
    /// # Errors
    ///
    /// The fault of the call.
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> Result<Answer, Fault> {
        let request = request::new(method, target, body);
        let mut answer = Answer::empty();
        // SAFETY: the sink is `answer`, which outlives the call.
        let mut reply = unsafe { Reply::new(answer.as_reply()) };
        self.0.handle(&Request::new(&request), &mut reply)?;
        Ok(answer)
    }
}
