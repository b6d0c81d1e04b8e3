//! `segue check`: checks a file without running it.

use std::path::PathBuf;

use clap::Args;
use segue::{FileReport, Finding, Interface};

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    text::{clean, size},
};

/// Check a module's file without running any of it
///
/// Shows the file's metadata, or why a runtime would refuse it. It contacts no runtime and executes no code
/// of the file, not even a constructor.
///
/// It also notes what could keep the module in memory, each with its meaning and what to set: external
/// libraries, a dynamic C++ runtime, functions for signals, timers and exit handlers. It names the libraries,
/// versions and symbols that this system lacks. To see what really stays, use `segue probe`.
///
/// Exits with 0 if a runtime would accept the file, also if there are notes. Exits with 3 if it would refuse
/// it, and with 4 if there is no such file.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue check target/release/libgreeter.so")]
pub(crate) struct Check {
    /// The .so file
    file: PathBuf,
}

// === impl Check ===

impl Check {
    pub(crate) fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let report = segue::check(&self.file)?;
        context.format.print(&report, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(report: &FileReport) -> String {
    let metadata = &report.metadata;
    let interfaces = match metadata.interfaces.as_slice() {
        [] => "none".to_owned(),
        interfaces => interfaces.iter().map(render_interface).collect::<Vec<_>>().join("\n            "),
    };
    let cleared = match report.cleared.as_slice() {
        [] => "nothing".to_owned(),
        marks => format!("{} (by each load, to make it unloadable)", clean(&marks.join(", "))),
    };
    let lines = [
        ("module", clean(&metadata.name).into_owned()),
        ("version", clean(&metadata.version).into_owned()),
        ("digest", report.digest.to_string()),
        ("size", size(report.size_bytes)),
        ("abi", format!("revision {}", metadata.abi)),
        ("compiler", clean(&metadata.compiler).into_owned()),
        ("interfaces", interfaces),
        ("state", metadata.state_schema.as_deref().map_or("none".into(), clean).into_owned()),
        ("cleared", cleared),
        ("unload", if metadata.unload.is_some() { "promised" } else { "-" }.to_owned()),
        ("sticky", if metadata.sticky { "yes" } else { "no" }.to_owned()),
    ];
    let lines = lines.iter().map(|(name, value)| format!("{name:<10}  {value}\n"));
    lines.chain(report.findings.iter().map(render_finding)).collect()
}

/// A finding and its meaning, and below it the advice.
fn render_finding(finding: &Finding) -> String {
    let Finding { subject, meaning, advice, .. } = finding;
    format!("note        {}: {}\n              {}\n", clean(subject), clean(meaning), clean(advice))
}

/// The name and the fingerprint, and a line for each method.
fn render_interface(interface: &Interface) -> String {
    let mut text = format!("{} ({})", clean(&interface.name), clean(&interface.fingerprint));
    for method in &interface.methods {
        text.push_str(&format!("\n              {}", clean(&method.to_string())));
    }
    text
}

#[cfg(test)]
mod tests {
    use segue::{Argument, Digest, FindingKind, Metadata, Method, Type};

    use super::*;
    use crate::output::Format;

    fn report() -> FileReport {
        let metadata = Metadata {
            name: "greeter".to_owned(),
            version: "1.0.0".to_owned(),
            abi: 3,
            compiler: "rustc 1.95.0\x1b[31m".to_owned(),
            interfaces: Vec::new(),
            state_schema: None,
            sticky: false,
            unload: None,
        };
        FileReport {
            metadata,
            digest: Digest::of(b""),
            size_bytes: 1_572_864,
            cleared: Vec::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn the_text_has_a_line_for_each_property() {
        let expected = "\
module      greeter
version     1.0.0
digest      sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
size        1.5 MiB
abi         revision 3
compiler    rustc 1.95.0\\u{1b}[31m
interfaces  none
state       none
cleared     nothing
unload      -
sticky      no
";
        assert_eq!(render(&report()), expected);
    }

    #[test]
    fn a_cleared_mark_and_a_finding_are_explained() {
        let marked = FileReport { cleared: vec!["DF_1_NODELETE".to_owned()], ..report() };
        assert!(render(&marked).contains("cleared     DF_1_NODELETE (by each load"), "{}", render(&marked));
        let finding = Finding {
            kind: FindingKind::ExternalLibrary,
            subject: "libssl.so.3".to_owned(),
            meaning: "it may stay".to_owned(),
            advice: "use rustls".to_owned(),
        };
        let found = FileReport { findings: vec![finding], ..report() };
        let expected = "note        libssl.so.3: it may stay\n              use rustls\n";
        assert!(render(&found).ends_with(expected), "{}", render(&found));
    }

    #[test]
    fn an_interface_has_a_line_for_each_method() {
        let named = |name: &str| Type { name: name.to_owned(), ..Type::default() };
        let quantity = Argument { name: "quantity".to_owned(), of: named("u32") };
        let quote = Method { name: "quote".to_owned(), arguments: vec![quantity], answer: named("Cents") };
        let open = Method { name: "open".to_owned(), arguments: Vec::new(), answer: named("()") };
        let pricing = Interface {
            name: "Pricing".to_owned(),
            fingerprint: "0123456789abcdef".to_owned(),
            methods: vec![quote, open],
        };
        let mut with_interface = report();
        with_interface.metadata.interfaces = vec![pricing];
        let expected = "interfaces  Pricing (0123456789abcdef)\n              quote(quantity: u32) -> Cents\n              open()\n";
        assert!(render(&with_interface).contains(expected), "{}", render(&with_interface));
    }

    #[test]
    fn the_json_is_one_flat_object() {
        let json = serde_json::to_value(report()).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "abi",
            "cleared",
            "compiler",
            "digest",
            "findings",
            "interfaces",
            "name",
            "size_bytes",
            "state_schema",
            "sticky",
            "unload",
            "version",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_refused_file_has_its_exit_code() {
        let context = Context { format: Format::Json, control: None };
        let check = |file: &str| Check { file: file.into() }.run(&context).unwrap_err().exit_code();
        assert_eq!(check("/nowhere/libx.so"), ExitCode::NotFound);
        assert_eq!(check(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), ExitCode::Refused);
    }
}
