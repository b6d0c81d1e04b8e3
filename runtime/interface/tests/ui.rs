//! What must not compile, with what the compiler says of it, and a twin of each that does.

use std::{collections::BTreeSet, fs, path::Path};

fn names_in(folder: &str, extension: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
    let entries =
        fs::read_dir(folder).expect("the folder can be read").map(|entry| entry.expect("an entry").path());
    let of_kind = entries.filter(|path| path.extension().is_some_and(|its| its == extension));
    of_kind.map(|path| path.file_stem().expect("a file").to_string_lossy().into_owned()).collect()
}

#[test]
fn what_cannot_be_safe_does_not_compile_and_its_twin_does() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}

#[test]
fn each_case_has_its_twin() {
    let cases = names_in("fail", "rs");
    assert!(cases.len() > 30);
    assert_eq!(cases, names_in("pass", "rs"));
    assert_eq!(cases, names_in("fail", "stderr"));
}

/// So that whoever writes the expected words anew cannot lose them.
#[test]
fn the_compiler_says_why_and_what_to_use_instead() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/fail");
    let said =
        |name: &str| fs::read_to_string(folder.join(name).with_extension("stderr")).expect("it is there");
    for name in names_in("fail", "stderr") {
        let said = said(&name);
        let advice: &[&str] = match name.as_str() {
            "answer_borrowed" => &["in memory of the host", "Write `'static`"],
            name if name.starts_with("answer_") => &["must stay good when the module", "Str<'static>"],
            "argument_static" | "data_clone" | "data_drop" | "unsafe_answer" | "unsafe_argument" => {
                &["error[E0"]
            }
            "argument_named" => &["write `'_`"],
            name if name.starts_with("argument_") => &["borrowed for the call", "Str<'_>"],
            "data_string" | "data_reference" => &["must stay good when the module", "Str<'static>"],
            _ => &["error: "],
        };
        for word in advice {
            assert!(said.contains(word), "{name} does not say {word:?}:\n{said}");
        }
    }
}
