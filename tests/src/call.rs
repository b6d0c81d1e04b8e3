//! Calls: the request for a path, and the answer as text.

use segue::{CallError, ModuleHandle, Reply, Request};

/// A request for a path, with or without a query.
pub fn get(target: &str) -> Request<'_> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request { query, ..Request::get(path) }
}

/// The text of a reply, or the text of the error.
///
/// # Panics
///
/// If the body is not UTF-8.
pub fn response_text(reply: Result<Reply, CallError>) -> Result<String, String> {
    let reply = reply.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(reply.body).expect("the body is text"))
}

/// The text that a module answers to `/` with this query.
///
/// # Panics
///
/// If the call fails.
pub fn call_with(module: &ModuleHandle, query: &str) -> String {
    response_text(module.call(&Request { query, ..Request::get("/") })).expect("the call succeeds")
}
