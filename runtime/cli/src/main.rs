//! The program `segue`. All code is in the library, where tests can use it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    segue_cli::main(std::env::args_os()).into()
}
