//! Erlang's rules, and what goes beyond them: a test for each of OTP's own that applies, under its name.
//! README.md, beside this file, has the whole list, and says of each that does not apply why not.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test, and what it is made of, says what it means by failing")]

mod house;

mod crashes;
mod deleting;
mod edges;
mod full_disk;
mod handles;
mod loading;
mod on_load;
mod on_load_again;
mod parallel;
mod purging;
mod races;
mod releases;
mod rollbacks;
mod sets;
mod snapshots;
mod sticky;
mod survival;
mod table;
mod upgrade;
mod versions;
