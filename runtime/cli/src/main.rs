//! The program `segue`. Everything is in the library, so that tests can use it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    segue_cli::main(std::env::args_os()).into()
}
