//! Erlang's rules, kept: a test for each of OTP's that applies, and what Erlang lacks. The table is in README.md beside this.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test, and what it is made of, says what it means by failing")]

mod crashes;
mod edges;
mod full_disk;
mod survival;
