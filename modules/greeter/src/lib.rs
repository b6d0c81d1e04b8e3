//! Greeter.
