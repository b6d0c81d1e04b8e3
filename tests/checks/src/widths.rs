//! Comment lines and source files that are too long.

use std::{fs, io, path::Path};

use crate::tree;

/// The longest comment line, in characters. Code has the same limit.
pub const LINE_MAX: usize = 110;

/// The longest source file without a reason in its header, in lines.
pub const FILE_MAX: usize = 350;

/// How the header of a longer file begins its reason.
const REASON: &str = "This file is long because";

/// Returns the comment lines of Rust files below a directory that are too long, as `file:line: length`.
///
/// # Errors
///
/// If a file cannot be read.
pub fn long_comments(directory: &Path) -> io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for path in tree::files(directory, "rs")? {
        for (number, line) in fs::read_to_string(&path)?.lines().enumerate() {
            let length = line.chars().count();
            if length > LINE_MAX && is_comment(line) {
                wrong.push(format!("{}:{}: {length} characters", path.display(), number + 1));
            }
        }
    }
    Ok(wrong)
}

/// Returns the source files below a directory that are too long and give no reason.
///
/// # Errors
///
/// If a file cannot be read.
pub fn long_files(directory: &Path) -> io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for path in tree::files(directory, "rs")? {
        let text = fs::read_to_string(&path)?;
        let lines = text.lines().count();
        let has_reason =
            text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains(REASON));
        if lines > FILE_MAX && !has_reason {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
    }
    Ok(wrong)
}

/// Whether a line is a comment or ends in one. Links and table rows do not count: they cannot be wrapped.
fn is_comment(line: &str) -> bool {
    let text = line.trim_start();
    let is_all_comment = text.starts_with("//");
    let is_unbreakable = text.contains("://") || text.starts_with("/// |") || text.starts_with("//! |");
    (is_all_comment && !is_unbreakable) || (!is_all_comment && line.contains(" // "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_and_long_files_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let long = "x ".repeat(60);
        fs::write(
            directory.path().join("a.rs"),
            format!("//! {long}\nfn f() {{}}\n// short\n// https://{long}\n"),
        )
        .unwrap();
        fs::write(directory.path().join("b.rs"), "fn f() {}\n".repeat(FILE_MAX + 1)).unwrap();
        fs::write(directory.path().join("c.rs"), format!("//! {REASON} so.\n{}", "\n".repeat(FILE_MAX)))
            .unwrap();
        assert_eq!(long_comments(directory.path()).unwrap().len(), 1);
        let files = long_files(directory.path()).unwrap();
        assert!(files.len() == 1 && files[0].contains("b.rs"), "{files:?}");
    }
}
