//! Calls into modules: what they answer, what keeps a version while they run, and what survives it.

mod between_modules;
mod drain;
mod during_loads;
mod handles;
mod outlives_version;
mod panics;
mod snapshots;
