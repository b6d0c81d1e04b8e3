//! `segue-checks`: the checks that need more than a test. See the library's doc for all of them.

#![forbid(unsafe_code)]

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use segue_checks::{api_page, commands, tree};

/// Where the description of the control API is.
const DESCRIPTION: &str = "runtime/control/src/server/openapi.json";

/// The page that is made from it.
const PAGE: &str = "runtime/host/guide/control-api.md";

#[derive(Parser)]
#[command(about = "Checks of the tree itself")]
struct Cli {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Run the commands of Markdown files as they are written
    Commands {
        /// A directory that is searched first for programs: where `segue` is
        #[arg(long, value_name = "DIR")]
        programs: PathBuf,
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Write the guide's page of the control API
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
                println!("{}: {blocks} blocks of commands ran", file.display());
            }
        }
        Check::Api => {
            let description = serde_json::from_str(&fs::read_to_string(tree::root().join(DESCRIPTION))?)?;
            fs::write(tree::root().join(PAGE), api_page::page(&description))?;
        }
    }
    Ok(())
}
