//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::{
    Context, Error, ExitCode, Format,
    commands::{self, new::Created},
};

/// Replace the logic of a running service without stopping it
///
/// A module is a Rust cdylib. `segue serve` serves modules over HTTP. To release a new version, copy its file
/// into the modules directory or run `segue load FILE`. New requests go to the new version, and requests
/// inside the old version finish there. Then the runtime unloads the old version.
#[derive(Debug, Parser)]
#[command(name = "segue", version, max_term_width = 100, after_long_help = AFTER_HELP)]
pub struct Cli {
    /// Control socket of the runtime
    ///
    /// Default: $SEGUE_CONTROL if it is set, else $XDG_RUNTIME_DIR/segue.sock, else ./segue.sock.
    #[arg(long, global = true, value_name = "PATH", help_heading = GLOBAL_OPTIONS)]
    control: Option<PathBuf>,
    /// Print JSON, for scripts
    ///
    /// Standard output is one object or array; `segue events` prints one object per line. An error also goes
    /// to standard output: {"error":{"code","step","module","message","hint"}}. If several files of a set are
    /// refused, the error has one such object for each in "members".
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// The help heading of the options that every command accepts.
const GLOBAL_OPTIONS: &str = "Global options";

/// The exit codes, and the first commands to try.
const AFTER_HELP: &str = "\
Exit codes:
  0  success
  1  the runtime or this command failed
  2  the command line or the configuration is not valid
  3  refused; nothing changed
  4  no such module or file
  5  the deadline passed, and an old version or a request is still there
  6  the runtime cannot be reached
  7  permission denied
  8  the demo or a probe found a problem

To begin:
  segue demo                       watch modules being replaced under load
  segue new greeter                create a module
  segue serve --modules modules    serve the modules in a directory";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(commands::demo::Demo),
    New(commands::new::New),
    Check(commands::check::Check),
    Probe(commands::probe::Probe),
    Serve(commands::serve::Serve),
    Load(commands::load::Load),
    Ls(commands::ls::Ls),
    Status(commands::status::Status),
    Pins(commands::pins::ShowPins),
    Confirm(commands::confirm::Confirm),
    Rollback(commands::rollback::Rollback),
    SoftPurge(commands::soft_purge::SoftPurge),
    Purge(commands::purge::Purge),
    Delete(commands::delete::Delete),
    Stick(commands::stick::Stick),
    Unstick(commands::unstick::Unstick),
    Blocked(commands::blocked::Blocked),
    Unblock(commands::unblock::Unblock),
    History(commands::history::History),
    Events(commands::events::Events),
    Completions(commands::completions::Completions),
}

// === impl Cli ===

impl Cli {
    /// The output format.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the command failed. A version that lingers after a purge is not an error, but it has its own exit
    /// code.
    pub fn run(self) -> Result<ExitCode, Error> {
        let context = Context { format: self.format(), control: self.control };
        match self.command {
            Command::Demo(demo) => demo.run(&context),
            Command::New(new) => {
                let created = new.run(Path::new("."))?;
                context.format.print(&created, Created::next_steps)?;
                Ok(ExitCode::Done)
            }
            Command::Check(check) => check.run(&context),
            Command::Probe(probe) => probe.run(&context),
            Command::Serve(serve) => serve.run(&context),
            Command::Load(load) => context.wait(load.run(&context)),
            Command::Ls(ls) => context.wait(ls.run(&context)),
            Command::Status(status) => context.wait(status.run(&context)),
            Command::Pins(pins) => context.wait(pins.run(&context)),
            Command::Confirm(confirm) => context.wait(confirm.run(&context)),
            Command::Rollback(rollback) => context.wait(rollback.run(&context)),
            Command::SoftPurge(soft_purge) => context.wait(soft_purge.run(&context)),
            Command::Purge(purge) => context.wait(purge.run(&context)),
            Command::Delete(delete) => context.wait(delete.run(&context)),
            Command::Stick(stick) => context.wait(stick.run(&context)),
            Command::Unstick(unstick) => context.wait(unstick.run(&context)),
            Command::Blocked(blocked) => context.wait(blocked.run(&context)),
            Command::Unblock(unblock) => context.wait(unblock.run(&context)),
            Command::History(history) => context.wait(history.run(&context)),
            Command::Events(events) => context.wait(events.run(&context)),
            Command::Completions(completions) => completions.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_summary_and_an_example() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains(&format!("segue {}", command.get_name())), "{help}");
            assert!(help.contains("Example"), "{help}");
        }
    }

    #[test]
    fn global_options_can_follow_or_precede_the_command() {
        for line in ["segue --json --control x.sock ls", "segue ls --control x.sock --json"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.format(), Format::Json);
            assert_eq!(cli.control, Some("x.sock".into()));
        }
    }
}
