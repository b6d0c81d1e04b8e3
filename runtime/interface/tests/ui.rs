//! Programs that do not compile, with the text of our error, and a twin of each one that compiles.
//!
//! `src/compile_fail` has programs that do not compile, whatever the error says.

use std::{collections::BTreeSet, fs, path::Path};

fn names_in(folder: &str, extension: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
    let entries = fs::read_dir(folder).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the entry is readable").path());
    let matching = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    matching.map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn each_program_gets_our_error_and_its_twin_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}

#[test]
fn each_program_has_a_twin_and_an_expected_error() {
    let programs = names_in("fail", "rs");
    assert!(programs.len() > 20, "the programs were found");
    assert_eq!(programs, names_in("pass", "rs"));
    assert_eq!(programs, names_in("fail", "stderr"));
}

/// `TRYBUILD=overwrite` rewrites the expected errors. This test fails if a rewrite loses the advice.
#[test]
fn each_error_names_a_fix() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/fail");
    for name in names_in("fail", "stderr") {
        let path = folder.join(&name).with_extension("stderr");
        let error = fs::read_to_string(path).expect("the expected error is readable");
        let fix = match name.as_str() {
            "answer_borrowed" => "write `'static`",
            "answer_option" | "answer_result" | "answer_string" | "data_string" => "`Str<'static>`",
            "argument_named_lifetime" => "write `'_`",
            "argument_string" => "`Str<'_>`",
            "data_empty_enum" => "add a variant",
            "data_generic" => "write one type for each instance",
            "data_repr" => "remove this attribute",
            "data_union" => "use an enum",
            "interface_async" => "remove `const`, `async`",
            "interface_body" => "end it with `;`",
            "interface_cfg" => "remove them, except doc comments",
            "interface_empty" => "needs at least one method",
            "interface_exclusive" | "interface_no_self" => "must take `&self`",
            "interface_generic_method" => "write `'_` for a borrow",
            "interface_generic_trait" => "write one interface for each type",
            "interface_pattern" => "destructure it in the implementation",
            "interface_supertrait" => "export the other interface separately",
            "interface_type" => "move this out of it",
            other => panic!("{other} needs a line here"),
        };
        assert!(error.contains(fix), "the error of {name} does not say {fix:?}:\n{error}");
    }
}
