//! How a command speaks: to a person or to a script, on standard output; and how it fails.

use std::io::{self, Write};

use segue_control::api::ErrorBody;
use serde::Serialize;

use crate::{Error, text::clean};

/// For whom a command speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person: aligned tables, and errors on standard error.
    Human,
    /// For a script: JSON, and errors as an object, both on standard output, so that there is one stream to read.
    Json,
}

// === impl Format ===

impl Format {
    /// Prints an answer: as text, made by `text` where it is needed, or as one line of JSON.
    ///
    /// # Errors
    ///
    /// Where standard output cannot be written to.
    pub fn print<T: Serialize>(self, answer: &T, text: impl FnOnce(&T) -> String) -> Result<(), Error> {
        match self {
            Format::Human => print(&text(answer)),
            Format::Json => print_json(answer),
        }
    }
}

/// Prints text that ends its lines itself.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|source| Error::Output { source })
}

fn print_json(answer: &impl Serialize) -> Result<(), Error> {
    let mut line = serde_json::to_string(answer).map_err(|error| Error::Output { source: error.into() })?;
    line.push('\n');
    print(&line)
}

/// Says why a command failed.
pub(crate) fn print_error(error: &Error, format: Format) {
    // The reader left, and whoever leaves knows that.
    if error.is_broken_pipe() {
        return;
    }
    let object = error.object();
    match format {
        // Where this cannot be written either, the exit code still tells.
        Format::Json => drop(print_json(&ErrorBody { error: object })),
        Format::Human => {
            let step = object.step.map_or(String::new(), |step| format!("refused at the step {step}: "));
            let mut message = format!("segue: {step}{}\n", clean_lines(&object.message));
            if let Some(hint) = object.hint {
                message.push_str(&format!("  hint: {}\n", clean_lines(&hint)));
            }
            drop(io::stderr().write_all(message.as_bytes()));
        }
    }
}

/// Further lines are set off; a message that came from outside cannot look like a second one.
fn clean_lines(text: &str) -> String {
    text.trim_end().lines().map(clean).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        assert_eq!(clean_lines("bad \x1b[2Jname\nsegue: done\n"), "bad \\u{1b}[2Jname\n    segue: done");
    }
}
