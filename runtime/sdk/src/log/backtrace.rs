//! Backtraces: whether one is asked for, and which of its frames are the author's.
//!
//! `std` hands out a backtrace only as text, so it is read here. To name functions, `std` keeps the parsed
//! debug info of the file in the memory of this image (36 MB for one version, measured). So one is captured
//! only when it is needed.

use std::{backtrace::Backtrace, env};

/// The frames above this one are those of the panic itself.
const PANIC_BEGINS: &str = "__rust_end_short_backtrace";

/// The frames below this one started the thread.
const THREAD_BEGINS: &str = "__rust_begin_short_backtrace";

/// Parts of the paths of sources that the author did not write: the compiler's and the dependencies'.
const OF_LIBRARIES: [&str; 5] = ["/rustc/", "/registry/src/", "/git/checkouts/", "/vendor/", "/rustlib/src/"];

/// How much `RUST_BACKTRACE` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The frames between the panic and the host.
    Short,
    /// All frames, with their addresses.
    Full,
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The function, as far as it is known.
    pub(crate) name: &'a str,
    /// The file and the line, if the module has debug info.
    pub(crate) place: Option<(&'a str, u32)>,
    /// Its lines of the text.
    text: &'a str,
}

/// What `RUST_BACKTRACE` asks for, as `std` reads it.
pub(crate) fn asked() -> Option<Asked> {
    of(env::var_os("RUST_BACKTRACE")?.to_str())
}

fn of(value: Option<&str>) -> Option<Asked> {
    match value {
        Some("0") => None,
        Some("full") => Some(Asked::Full),
        _ => Some(Asked::Short),
    }
}

/// The backtrace of the panic whose hook runs now.
pub(crate) fn capture() -> Backtrace {
    Backtrace::force_capture()
}

/// The backtrace as text.
pub(crate) fn text(backtrace: &Backtrace, asked: Asked) -> String {
    match asked {
        Asked::Full => format!("{backtrace:#}"),
        Asked::Short => inside(&backtrace.to_string()).iter().map(|frame| frame.text).collect(),
    }
}

/// The frames between the panic and what called the module, the innermost first.
pub(crate) fn inside(text: &str) -> Vec<Frame<'_>> {
    let mut frames = frames(text);
    if let Some(begins) = frames.iter().position(|frame| frame.name.contains(PANIC_BEGINS)) {
        frames.drain(..=begins);
    }
    // The first frame of the SDK stays: in a release build, what it has called may be part of it.
    let of_sdk = frames.iter().position(Frame::is_of_sdk).map(|index| index + 1);
    let of_thread = frames.iter().position(|frame| frame.name.contains(THREAD_BEGINS));
    frames.truncate(of_sdk.or(of_thread).unwrap_or(frames.len()));
    frames
}

/// The innermost frame of the author: of a function of this crate, or in a file that belongs to no library.
pub(crate) fn author<'a>(frames: &'a [Frame<'a>], author_crate: &str) -> Option<&'a Frame<'a>> {
    frames.iter().find(|frame| !frame.is_of_sdk() && frame.is_of(author_crate))
}

fn frames(text: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let from = start;
        start += line.len();
        if let Some(place) = line.trim().strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.place = parse(place);
                frame.text = &text[from - frame.text.len()..start];
            }
        } else if let Some((_, name)) = line.trim().split_once(": ") {
            frames.push(Frame { name, place: None, text: line });
        }
    }
    frames
}

/// Reads `src/lib.rs:12:9`.
fn parse(place: &str) -> Option<(&str, u32)> {
    let (place, _column) = place.rsplit_once(':')?;
    let (file, line) = place.rsplit_once(':')?;
    Some((file.strip_prefix("./").unwrap_or(file), line.parse().ok()?))
}

// === impl Frame ===

impl Frame<'_> {
    fn is_of_sdk(&self) -> bool {
        let sources = file!().trim_end_matches("log/backtrace.rs");
        let name = self.name.trim_start_matches('<');
        name.starts_with("segue_sdk::")
            || name.starts_with("segue_interface::")
            || self.place.is_some_and(|(file, _)| file.contains(sources))
    }

    fn is_of(&self, author_crate: &str) -> bool {
        match self.place {
            Some((file, _)) => !OF_LIBRARIES.iter().any(|part| file.contains(part)),
            None => {
                let name = self.name.trim_start_matches(['<', '&']);
                name.strip_prefix(author_crate).is_some_and(|rest| rest.starts_with("::"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A release build with debug info: functions that are part of others have no path.
    const WITH_LINES: &str = "\
   3: std::sys::backtrace::__rust_end_short_backtrace::<std::panicking::panic_handler::{closure#0}, !>
             at /rustc/5980/library/std/src/sys/backtrace.rs:182:18
   4: __rustc::rust_begin_unwind
             at /rustc/5980/library/std/src/panicking.rs:689:5
   5: init<tracing_subscriber::fmt::format::DefaultFields>
             at /root/.cargo/registry/src/index.crates.io-1949/tracing-subscriber-0.3.23/src/fmt/mod.rs:520:14
   6: set_up
             at ./modules/greeter/src/lib.rs:16:63
   7: on_load
             at ./modules/greeter/src/lib.rs:30:9
   8: segue_sdk::export::entry::on_load
             at ./runtime/sdk/src/export/entry.rs:190:15
   9: segue_loader::mapped::Mapped::start
";

    /// A release build without.
    const WITHOUT_LINES: &str = "\
   4: std::sys::backtrace::__rust_end_short_backtrace::<std::panicking::panic_handler::{closure#0}, !>
   5: __rustc::rust_begin_unwind
   6: core::panicking::panic_fmt
   7: env_logger::logger::init
   8: <greeter::Greeter as segue_sdk::api::module::Module>::on_load
   9: segue_sdk::export::entry::on_load
  10: segue_loader::mapped::Mapped::start
";

    #[test]
    fn the_authors_line_is_found() {
        let frames = inside(WITH_LINES);
        let author = author(&frames, "greeter").unwrap();
        assert_eq!((author.name, author.place), ("set_up", Some(("modules/greeter/src/lib.rs", 16))));
    }

    #[test]
    fn without_lines_the_authors_function_is_found() {
        let frames = inside(WITHOUT_LINES);
        let name = author(&frames, "greeter").unwrap().name;
        assert_eq!(name, "<greeter::Greeter as segue_sdk::api::module::Module>::on_load");
        assert_eq!(author(&frames, "greet"), None);
    }

    #[test]
    fn a_short_backtrace_has_what_the_module_did() {
        let text: String = inside(WITH_LINES).iter().map(|frame| frame.text).collect();
        assert!(text.starts_with("   4: ") && text.ends_with("sdk/src/export/entry.rs:190:15\n"), "{text}");
        assert!(WITH_LINES.contains(&text), "nothing between is left out: {text}");
    }

    #[test]
    fn rust_backtrace_is_read_as_std_reads_it() {
        assert_eq!(of(Some("0")), None);
        assert_eq!(of(Some("full")), Some(Asked::Full));
        assert_eq!(
            (of(Some("1")), of(Some("")), of(None)),
            (Some(Asked::Short), Some(Asked::Short), Some(Asked::Short))
        );
    }
}
