//! The command segue.
