//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{commands, context::Context, error::Error, exit_code::ExitCode, output::Format};

/// Replace the logic of a running service without stopping it
///
/// A module is a Rust cdylib. `segue serve` serves modules over HTTP. To release a new version, put its file
/// into the modules directory or `segue load` it: new requests go to the new version, and requests inside the
/// old version finish there. Then the old version is unloaded.
#[derive(Debug, Parser)]
#[command(name = "segue", version, max_term_width = 100, after_long_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// The control socket of the runtime
    ///
    /// The default is $SEGUE_CONTROL if it is set, else $XDG_RUNTIME_DIR/segue.sock, else ./segue.sock.
    #[arg(long, global = true, value_name = "PATH", help_heading = GLOBAL_OPTIONS)]
    control: Option<PathBuf>,
    /// Print JSON, for scripts
    ///
    /// The answer is one object or array on standard output; `segue events` prints one object per line. An
    /// error is an object on standard output too: {"error":{"code","step","module","message","hint"}}. If
    /// several files of a set are refused, its "members" are objects of the same form.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// The help heading of the options that every command has.
const GLOBAL_OPTIONS: &str = "Global options";

/// The exit codes, and the first steps.
const AFTER_HELP: &str = "\
Exit codes:
  0  success
  1  the runtime or this command failed
  2  the command line or the configuration is invalid
  3  refused; nothing changed
  4  no such module or file
  5  the deadline passed, and an old version or a request is still there
  6  the runtime cannot be reached
  7  permission denied
  8  the demo or a probe found a problem

First steps:
  segue demo                       watch a service being replaced under load
  segue new greeter                write a module
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
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the command failed. A purge whose version is still in memory is not an error, but has its own exit
    /// code.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let context = Context { format: self.format(), control: self.control };
        match self.command {
            Command::Demo(demo) => demo.run(&context),
            Command::New(new) => new.run(&context),
            Command::Check(check) => check.run(&context),
            Command::Probe(probe) => probe.run(&context),
            Command::Serve(serve) => serve.run(&context),
            Command::Load(load) => context.block_on(load.run(&context)),
            Command::Ls(ls) => context.block_on(ls.run(&context)),
            Command::Status(status) => context.block_on(status.run(&context)),
            Command::Pins(pins) => context.block_on(pins.run(&context)),
            Command::Confirm(confirm) => context.block_on(confirm.run(&context)),
            Command::Rollback(rollback) => context.block_on(rollback.run(&context)),
            Command::SoftPurge(soft_purge) => context.block_on(soft_purge.run(&context)),
            Command::Purge(purge) => context.block_on(purge.run(&context)),
            Command::Delete(delete) => context.block_on(delete.run(&context)),
            Command::Stick(stick) => context.block_on(stick.run(&context)),
            Command::Unstick(unstick) => context.block_on(unstick.run(&context)),
            Command::Blocked(blocked) => context.block_on(blocked.run(&context)),
            Command::Unblock(unblock) => context.block_on(unblock.run(&context)),
            Command::History(history) => context.block_on(history.run(&context)),
            Command::Events(events) => context.block_on(events.run(&context)),
            Command::Completions(completions) => completions.run(Cli::command()),
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn global_options_may_come_before_or_after_the_command() {
        for line in ["segue --json --control x.sock ls", "segue ls --control x.sock --json"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.format(), Format::Json);
            assert_eq!(cli.control, Some("x.sock".into()));
        }
    }
}
