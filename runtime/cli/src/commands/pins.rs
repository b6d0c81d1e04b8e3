//! `segue pins`: shows what keeps old versions in memory.

use clap::Args;
use segue::Pins;

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    text::clean,
    view::{
        pin,
        version::{name, state_name},
    },
};

/// Show what keeps the old versions of a module in memory
///
/// Lists the old version while it is in memory, and the quarantined versions, which could not be unloaded.
/// Each has what keeps it, and what must happen before it is unloaded.
///
/// Exits with 4 if there is no such module.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue pins greeter")]
pub(crate) struct ShowPins {
    /// The module's name
    module: String,
}

// === impl ShowPins ===

impl ShowPins {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let pins = context.client().pins(&self.module).await?;
        context.format.print(&pins, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(pins: &Pins) -> String {
    let module = clean(&pins.module);
    if pins.held.is_empty() {
        return format!("{module}: no old version is in memory\n");
    }
    let mut text = String::new();
    for held in &pins.held {
        let name = name(&held.version, held.generation);
        text.push_str(&format!("{module} {name}  {}\n", state_name(held.status)));
        if held.pins.is_empty() {
            text.push_str("  nothing keeps it: it is about to be unloaded\n");
        }
        for pin in &held.pins {
            text.push_str(&format!("  {}\n      waits for {}\n", pin::render(pin), clean(&pin.waits_for)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use segue::{HeldVersion, Pin, PinKind, VersionState};

    use super::*;

    #[test]
    fn each_pin_has_what_it_waits_for() {
        let none = Pins { module: "greeter".to_owned(), held: Vec::new() };
        assert_eq!(render(&none), "greeter: no old version is in memory\n");
        let pin = Pin {
            kind: PinKind::Signal,
            detail: "the handler of SIGUSR1 is in it".to_owned(),
            waits_for: "another handler".to_owned(),
        };
        let held = HeldVersion {
            version: "1.0.0".to_owned(),
            generation: 1,
            status: VersionState::Pinned,
            pins: vec![pin],
        };
        let unkept = HeldVersion { generation: 2, pins: Vec::new(), ..held.clone() };
        let expected = "\
greeter 1.0.0+g1  pinned
  signal: the handler of SIGUSR1 is in it
      waits for another handler
greeter 1.0.0+g2  pinned
  nothing keeps it: it is about to be unloaded
";
        assert_eq!(render(&Pins { held: vec![held, unkept], ..none }), expected);
    }
}
