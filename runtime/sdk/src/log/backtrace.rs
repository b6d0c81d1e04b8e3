//! Backtraces: whether `RUST_BACKTRACE` requests one, and which frames belong to the module's author.
//!
//! `std` provides a backtrace only as text, so this file parses it. To name functions, `std` keeps the parsed
//! debug info of the file in memory of this image (36 MB for one version has been measured). So a backtrace
//! is captured only when it is needed.

use std::{backtrace::Backtrace, env};

/// The frame of the panic machinery that is closest to the panic. Frames above it belong to the panic itself.
const PANIC_MARKER: &str = "__rust_end_short_backtrace";

/// The frame that started the thread. Frames below it belong to the start of the thread.
const THREAD_MARKER: &str = "__rust_begin_short_backtrace";

/// Parts of the paths of sources that the author did not write: those of the compiler and of dependencies.
const LIBRARY_PATHS: [&str; 5] =
    ["/rustc/", "/registry/src/", "/git/checkouts/", "/vendor/", "/rustlib/src/"];

/// How much of a backtrace to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The frames between the panic and the host.
    Short,
    /// All frames, with their addresses.
    Full,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The name of the function, as complete as `std` knows it.
    pub(crate) name: &'a str,
    /// The file and the line, if the module has debug info.
    pub(crate) location: Option<(&'a str, u32)>,
    /// The lines of this frame in the text of the backtrace.
    text: &'a str,
}

/// The style that `RUST_BACKTRACE` requests, by the rules of `std`.
pub(crate) fn requested() -> Option<Style> {
    style(env::var_os("RUST_BACKTRACE")?.to_str())
}

/// The style that this value of the variable requests. `None` as the value means that it is not UTF-8.
fn style(value: Option<&str>) -> Option<Style> {
    match value {
        Some("0") => None,
        Some("full") => Some(Style::Full),
        _ => Some(Style::Short),
    }
}

/// The backtrace of the panic whose hook is running.
pub(crate) fn capture() -> Backtrace {
    Backtrace::force_capture()
}

pub(crate) fn format(backtrace: &Backtrace, style: Style) -> String {
    match style {
        Style::Full => format!("{backtrace:#}"),
        Style::Short => module_frames(&backtrace.to_string()).iter().map(|frame| frame.text).collect(),
    }
}

/// The frames between the panic and the code that called the module, the innermost first.
pub(crate) fn module_frames(text: &str) -> Vec<Frame<'_>> {
    let mut frames = parse(text);
    if let Some(marker) = frames.iter().position(|frame| frame.name.contains(PANIC_MARKER)) {
        frames.drain(..=marker);
    }
    // The first frame of the SDK stays: in a release build, the functions that it called may be inlined in
    // it.
    let sdk = frames.iter().position(Frame::is_of_sdk).map(|index| index + 1);
    let thread = frames.iter().position(|frame| frame.name.contains(THREAD_MARKER));
    frames.truncate(sdk.or(thread).unwrap_or(frames.len()));
    frames
}

/// The innermost frame of the author: a function of this crate, or a function in a file that is not of a
/// library.
pub(crate) fn author_frame<'a>(frames: &'a [Frame<'a>], author_crate: &str) -> Option<&'a Frame<'a>> {
    frames.iter().find(|frame| !frame.is_of_sdk() && frame.is_of_author(author_crate))
}

fn parse(text: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut line_end = 0;
    for line in text.split_inclusive('\n') {
        let line_start = line_end;
        line_end += line.len();
        if let Some(location) = line.trim().strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.location = parse_location(location);
                frame.text = &text[line_start - frame.text.len()..line_end];
            }
        } else if let Some((_, name)) = line.trim().split_once(": ") {
            frames.push(Frame { name, location: None, text: line });
        }
    }
    frames
}

/// Parses `src/lib.rs:12:9`.
fn parse_location(location: &str) -> Option<(&str, u32)> {
    let (location, _column) = location.rsplit_once(':')?;
    let (file, line) = location.rsplit_once(':')?;
    Some((file.strip_prefix("./").unwrap_or(file), line.parse().ok()?))
}

// === impl Frame ===

impl Frame<'_> {
    fn is_of_sdk(&self) -> bool {
        let sdk_sources = file!().trim_end_matches("log/backtrace.rs");
        let name = self.name.trim_start_matches('<');
        name.starts_with("segue_sdk::")
            || name.starts_with("segue_interface::")
            || self.location.is_some_and(|(file, _)| file.contains(sdk_sources))
    }

    fn is_of_author(&self, author_crate: &str) -> bool {
        match self.location {
            Some((file, _)) => !LIBRARY_PATHS.iter().any(|part| file.contains(part)),
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

    /// A backtrace of a release build with debug info: inlined functions have names without a path.
    const WITH_DEBUG_INFO: &str = "\
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

    /// The same without debug info.
    const WITHOUT_DEBUG_INFO: &str = "\
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
        let frames = module_frames(WITH_DEBUG_INFO);
        let author = author_frame(&frames, "greeter").unwrap();
        assert_eq!((author.name, author.location), ("set_up", Some(("modules/greeter/src/lib.rs", 16))));
    }

    #[test]
    fn the_authors_function_is_found_without_debug_info() {
        let frames = module_frames(WITHOUT_DEBUG_INFO);
        let name = author_frame(&frames, "greeter").unwrap().name;
        assert_eq!(name, "<greeter::Greeter as segue_sdk::api::module::Module>::on_load");
        assert_eq!(author_frame(&frames, "greet"), None);
    }

    #[test]
    fn a_short_backtrace_has_all_frames_of_the_module() {
        let text: String = module_frames(WITH_DEBUG_INFO).iter().map(|frame| frame.text).collect();
        assert!(text.starts_with("   4: ") && text.ends_with("sdk/src/export/entry.rs:190:15\n"), "{text}");
        assert!(WITH_DEBUG_INFO.contains(&text), "no frame in between is missing: {text}");
    }

    #[test]
    fn rust_backtrace_is_read_as_std_reads_it() {
        assert_eq!(style(Some("0")), None);
        assert_eq!(style(Some("full")), Some(Style::Full));
        assert_eq!(
            (style(Some("1")), style(Some("")), style(None)),
            (Some(Style::Short), Some(Style::Short), Some(Style::Short))
        );
    }
}
