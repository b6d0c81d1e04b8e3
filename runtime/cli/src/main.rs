//! The binary `segue`: everything is in the library, where tests reach it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    segue_cli::main(std::env::args_os()).into()
}
