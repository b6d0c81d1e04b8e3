//! Prints results and errors, as text or as JSON.

use std::io::{self, Write};

use segue::ErrorObject;
use segue_control::api::ErrorBody;
use serde::Serialize;

use crate::{
    Error,
    text::{clean, count},
};

/// The output format of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for a person: tables on standard output, errors on standard error.
    Human,
    /// JSON for a script: results and error objects on standard output, so a script reads one stream.
    Json,
}

// === impl Format ===

impl Format {
    /// Prints a result: as the text that `render` returns, or as one line of JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] if standard output cannot be written.
    pub fn print<T: Serialize>(self, result: &T, render: impl FnOnce(&T) -> String) -> Result<(), Error> {
        match self {
            Format::Human => print(&render(result)),
            Format::Json => print_json(result),
        }
    }
}

/// Prints the text unchanged: the caller ends the lines.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|source| Error::Output { source })
}

fn print_json(result: &impl Serialize) -> Result<(), Error> {
    let mut line = serde_json::to_string(result).map_err(|error| Error::Output { source: error.into() })?;
    line.push('\n');
    print(&line)
}

/// Prints the error of a failed command.
pub(crate) fn print_error(error: &Error, format: Format) {
    // The reader has closed standard output, so it expects no more.
    if error.is_broken_pipe() {
        return;
    }
    let object = error.object();
    match format {
        // If this fails too, the exit code still reports the error.
        Format::Json => drop(print_json(&ErrorBody { error: object })),
        Format::Human => {
            drop(io::stderr().write_all(render_error(&object).as_bytes()));
        }
    }
}

/// The message and the hint; for a set, those of each refused file.
fn render_error(error: &ErrorObject) -> String {
    if error.members.is_empty() {
        return format!("segue: {}", render_one_error(error, "  "));
    }
    let mut text = format!(
        "segue: refused {} of the set, so none was loaded\n",
        count(error.members.len() as u64, "file")
    );
    for member in &error.members {
        text.push_str(&format!("  {}", render_one_error(member, "    ")));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("  hint: {}\n", clean_lines(hint)));
    }
    text
}

fn render_one_error(error: &ErrorObject, indent: &str) -> String {
    let step = error.step.map_or(String::new(), |step| format!("refused at the step {step}: "));
    let mut text = format!("{step}{}\n", clean_lines(&error.message));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("{indent}hint: {}\n", clean_lines(hint)));
    }
    text
}

/// Indents all lines after the first, so a message from outside cannot imitate a second one.
fn clean_lines(text: &str) -> String {
    text.trim_end().lines().map(clean).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_of_a_set_has_a_step_a_reason_and_a_hint() {
        let sticky = |module: &str| segue::Error::Sticky { module: module.to_owned() };
        let error = segue::Error::Set { errors: vec![sticky("shop"), sticky("till")] };
        assert_eq!(
            render_error(&ErrorObject::from(&error)),
            "\
segue: refused 2 files of the set, so none was loaded
  refused at the step read: shop is sticky and cannot be replaced
    hint: `segue unstick MODULE` allows it
  refused at the step read: till is sticky and cannot be replaced
    hint: `segue unstick MODULE` allows it
  hint: fix or remove the modules listed; the rest would load
"
        );
        assert!(
            render_error(&ErrorObject::from(&sticky("shop")))
                .starts_with("segue: refused at the step read: shop")
        );
    }

    #[test]
    fn text_from_outside_cannot_control_the_terminal() {
        assert_eq!(clean_lines("bad \x1b[2Jname\nsegue: done\n"), "bad \\u{1b}[2Jname\n    segue: done");
    }
}
