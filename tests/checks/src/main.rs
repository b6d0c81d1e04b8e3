//! `segue-checks`: the checks that are no tests. The library's docs list all checks.

#![forbid(unsafe_code)]

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use segue_checks::{api_page, commands, tree};

/// The description of the control API.
const DESCRIPTION: &str = "runtime/control/src/server/openapi.json";

/// The page that is generated from it.
const PAGE: &str = "runtime/host/guide/control-api.md";

#[derive(Parser)]
#[command(about = "Check the source tree")]
struct Cli {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Run the commands in Markdown files as written
    Commands {
        /// The directory with `segue`; it is searched first for programs
        #[arg(long, value_name = "DIR")]
        programs: PathBuf,
        /// The Markdown files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Generate the guide's page on the control API from openapi.json
    Api,
}

fn main() -> ExitCode {
    match run(Cli::parse().check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: Check) -> Result<(), Box<dyn Error>> {
    match check {
        Check::Commands { programs, files } => {
            let programs = programs.canonicalize()?;
            for file in files {
                let blocks = commands::run(&file.canonicalize()?, &programs)?;
                println!("{}: ran {blocks} blocks of commands", file.display());
            }
        }
        Check::Api => {
            let description = serde_json::from_str(&fs::read_to_string(tree::root().join(DESCRIPTION))?)?;
            fs::write(tree::root().join(PAGE), api_page::page(&description))?;
        }
    }
    Ok(())
}
