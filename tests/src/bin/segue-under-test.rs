//! The command `segue`, as the tests start it.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    segue_cli::main(std::env::args_os()).into()
}
