//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::{
    Context, Error, ExitCode, Format,
    commands::{self, new::Created},
};

/// Replace the logic of a running service without stopping it
///
/// A module is a Rust cdylib. `segue serve` serves modules over HTTP; drop a new file into its modules directory, or
/// `segue load` it, and new requests go to the new version while those inside the old one finish there. Then the old
/// version leaves memory.
#[derive(Debug, Parser)]
#[command(name = "segue", version, max_term_width = 100, after_long_help = AFTER_HELP)]
pub struct Cli {
    /// The control socket of the runtime
    ///
    /// Where it is not given: $SEGUE_CONTROL, else $XDG_RUNTIME_DIR/segue.sock, else ./segue.sock.
    #[arg(long, global = true, value_name = "PATH", help_heading = FOR_ALL)]
    control: Option<PathBuf>,
    /// Answer with JSON, for scripts
    ///
    /// One object or array on standard output; of events, one object a line. An error is an object, too, and on standard output, too:
    /// {"error":{"code","step","module","message","hint"}}; where several of a set are refused, its "members" are such objects, too.
    #[arg(long, global = true, help_heading = FOR_ALL)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Where the help lists the options that every command takes.
const FOR_ALL: &str = "Options of all commands";

/// What every command's exit code means, and where to begin.
const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  the runtime, or this command, failed
  2  the command line, or the configuration, makes no sense
  3  refused, and nothing has changed
  4  there is no such module or file
  5  the deadline passed, and something still lingers
  6  the runtime cannot be reached
  7  not allowed
  8  the demo, a check or a probe found what it must not

To begin:
  segue demo                       watch a service being replaced under load
  segue new greeter                write a module
  segue serve --modules modules    serve what is, and will be, in a directory";

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
    /// For whom the command is to speak.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Where it was not done. What lingers at the end of a purge is no error, and has an exit code all the same.
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
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains(&format!("segue {}", command.get_name())), "{help}");
            assert!(help.contains("Example"), "{help}");
        }
    }

    #[test]
    fn the_options_for_all_may_stand_anywhere() {
        for line in ["segue --json --control x.sock ls", "segue ls --control x.sock --json"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.format(), Format::Json);
            assert_eq!(cli.control, Some("x.sock".into()));
        }
    }
}
