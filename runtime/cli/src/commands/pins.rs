//! `segue pins`: who still holds what is to leave memory.

use clap::Args;
use segue::Pins;

use super::{ls::standing, status::render_pin};
use crate::{Context, Error, ExitCode, text::clean};

/// Show who still holds the old version of a module, and what each of them waits for
///
/// That is the old version while it is in memory, and those that were put in quarantine since something did not let them go.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue pins greeter")]
pub struct ShowPins {
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
        let id = format!("{}+g{}", clean(&held.version), held.generation);
        text.push_str(&format!("{module} {id}  {}\n", standing(held.status)));
        if held.pins.is_empty() {
            text.push_str("  nobody holds it: it is on its way out\n");
        }
        for pin in &held.pins {
            text.push_str(&format!("  {}\n      waits for {}\n", render_pin(pin), clean(&pin.waits_for)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use segue::{HeldVersion, Pin, PinKind, VersionState};

    use super::*;

    #[test]
    fn a_person_reads_who_and_what_it_waits_for() {
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
        let leaving = HeldVersion { generation: 2, pins: Vec::new(), ..held.clone() };
        let expected = "\
greeter 1.0.0+g1  pinned
  signal: the handler of SIGUSR1 is in it
      waits for another handler
greeter 1.0.0+g2  pinned
  nobody holds it: it is on its way out
";
        assert_eq!(render(&Pins { held: vec![held, leaving], ..none }), expected);
    }
}
