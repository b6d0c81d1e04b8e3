//! The control socket, as any HTTP client sees it.

mod idempotency;
mod requests;
