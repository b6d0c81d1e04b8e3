//! Prints answers and errors, for a person or for a script.

use std::io::{self, Write};

use segue::ErrorObject;
use segue_control::api::ErrorBody;
use serde::Serialize;

use crate::{
    error::Error,
    text::{clean, count},
};

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For a person: text on standard output, errors on standard error.
    Human,
    /// For a script: JSON. Errors are JSON objects on standard output too, so a script reads one stream.
    Json,
}

// === impl Format ===

impl Format {
    /// Prints an answer: as the text that `text` makes, or as one line of JSON.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written.
    pub(crate) fn print<T: Serialize>(
        self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        match self {
            Format::Human => print(&text(answer)),
            Format::Json => print_json(answer),
        }
    }
}

/// Prints text that already ends with a newline.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|source| Error::Output { source })
}

fn print_json(answer: &impl Serialize) -> Result<(), Error> {
    let mut line = serde_json::to_string(answer).map_err(|error| Error::Output { source: error.into() })?;
    line.push('\n');
    print(&line)
}

/// Prints a notice to standard error. It is lost if that cannot be written; `eprintln!` would panic.
pub(crate) fn print_notice(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints why a command failed. If that fails too, the exit code remains.
pub(crate) fn print_error(error: &Error, format: Format) {
    // The reader closed the pipe, and knows it.
    if error.is_broken_pipe() {
        return;
    }
    let object = error.object();
    match format {
        Format::Json => drop(print_json(&ErrorBody { error: object })),
        Format::Human => drop(io::stderr().write_all(error_text(&object).as_bytes())),
    }
}

/// The error and its hint; for a set, those of each member.
fn error_text(error: &ErrorObject) -> String {
    if error.members.is_empty() {
        return format!("segue: {}", one_error_text(error, "  "));
    }
    let mut text =
        format!("segue: refused {} of the set; none was loaded\n", count(error.members.len() as u64, "file"));
    for member in &error.members {
        text.push_str(&format!("  {}", one_error_text(member, "    ")));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("  hint: {}\n", clean_lines(hint)));
    }
    text
}

fn one_error_text(error: &ErrorObject, indent: &str) -> String {
    let step = error.step.map_or(String::new(), |step| format!("refused at step {step}: "));
    let mut text = format!("{step}{}\n", clean_lines(&error.message));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("{indent}hint: {}\n", clean_lines(hint)));
    }
    text
}

/// Cleans each line and indents all but the first. A message from outside then cannot look like a message of
/// `segue`.
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
            error_text(&ErrorObject::from(&error)),
            "\
segue: refused 2 files of the set; none was loaded
  refused at step read: shop is sticky and cannot be replaced
    hint: `segue unstick MODULE` allows it
  refused at step read: till is sticky and cannot be replaced
    hint: `segue unstick MODULE` allows it
  hint: fix or remove the modules listed; the rest would load
"
        );
        assert!(
            error_text(&ErrorObject::from(&sticky("shop"))).starts_with("segue: refused at step read: shop")
        );
    }

    #[test]
    fn untrusted_text_cannot_steer_the_terminal() {
        assert_eq!(clean_lines("bad \x1b[2Jname\nsegue: done\n"), "bad \\u{1b}[2Jname\n    segue: done");
    }
}
