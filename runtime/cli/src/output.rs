//! How a command speaks: to a person or to a script, on standard output; and how it fails.

use std::io::{self, Write};

use segue::ErrorObject;
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
            drop(io::stderr().write_all(in_words(&object).as_bytes()));
        }
    }
}

/// What went wrong, and what to try next; of a set, of each member.
fn in_words(error: &ErrorObject) -> String {
    if error.members.is_empty() {
        return format!("segue: {}", one_in_words(error, "  "));
    }
    let mut text =
        format!("segue: {} files of the set are refused, and so none was loaded\n", error.members.len());
    for member in &error.members {
        text.push_str(&format!("  {}", one_in_words(member, "    ")));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("  hint: {}\n", clean_lines(hint)));
    }
    text
}

fn one_in_words(error: &ErrorObject, indent: &str) -> String {
    let step = error.step.map_or(String::new(), |step| format!("refused at the step {step}: "));
    let mut text = format!("{step}{}\n", clean_lines(&error.message));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("{indent}hint: {}\n", clean_lines(hint)));
    }
    text
}

/// Further lines are set off; a message that came from outside cannot look like a second one.
fn clean_lines(text: &str) -> String {
    text.trim_end().lines().map(clean).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_of_a_set_has_its_step_reason_and_hint() {
        let sticky = |module: &str| segue::Error::Sticky { module: module.to_owned() };
        let error = segue::Error::Set { errors: vec![sticky("shop"), sticky("till")] };
        assert_eq!(
            in_words(&ErrorObject::from(&error)),
            "\
segue: 2 files of the set are refused, and so none was loaded
  refused at the step read: shop is sticky and cannot be replaced
    hint: `segue unstick MODULE` allows it
  refused at the step read: till is sticky and cannot be replaced
    hint: `segue unstick MODULE` allows it
  hint: fix or remove the modules listed; the rest would load
"
        );
        assert!(
            in_words(&ErrorObject::from(&sticky("shop")))
                .starts_with("segue: refused at the step read: shop")
        );
    }

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        assert_eq!(clean_lines("bad \x1b[2Jname\nsegue: done\n"), "bad \\u{1b}[2Jname\n    segue: done");
    }
}
