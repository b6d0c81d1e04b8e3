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
//! What a test cannot see here is what only a loaded file has: the layout check, the log, and the unloading. [`leaves!`] builds the
//! file, and has `segue probe` load it, call it, replace it and unload it.

#[doc(inline)]
pub use crate::__leaves as leaves;
pub use crate::api::Answer;
use crate::{
    Fault,
    api::{Host, Module, Reply, Request, request},
};

pub(crate) mod leaves;

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
        let request = request::to(method, target, body);
        let mut answer = Answer::empty();
        // SAFETY: the sink is `answer`, which outlives the call.
        let mut reply = unsafe { Reply::new(answer.raw()) };
        self.0.handle(&Request::new(&request), &mut reply)?;
        Ok(answer)
    }
}
