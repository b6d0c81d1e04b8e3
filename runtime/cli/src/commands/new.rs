//! `segue new`: writes a module crate.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    module_crate::{self, Created, file_name},
};

/// Write a module crate that is ready to build, with a test
///
/// Creates a directory with the module's name in the working directory. No registry has the SDK, so the
/// directory gets a copy of it.
///
/// Exits with 2 if the name is invalid, with 3 if the directory exists, and with 4 if --sdk names no SDK.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  segue new till && cd till && cargo test && cargo build --release
  segue new till --sdk ~/segue/runtime/sdk")]
pub(crate) struct New {
    /// The module's name: letters, digits, - and _; the first is a letter or _
    name: String,
    /// Depend on the SDK in this directory (runtime/sdk of a checkout) instead of on a copy
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

// === impl New ===

impl New {
    pub(crate) fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let created = module_crate::write(&self.name, self.sdk.as_deref(), Path::new("."))?;
        context.format.print(&created, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(created: &Created) -> String {
    let name = created.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let directory = created.path.display();
    let file = format!("target/release/{}", file_name(name));
    format!(
        "created the module {name} in {directory}\n\n  \
         cd {directory}\n  \
         cargo test\n  \
         cargo build --release\n  \
         segue check {file}\n\n\
         To serve it, copy {file} into the modules directory of `segue serve`, or `segue load` it.\n"
    )
}
