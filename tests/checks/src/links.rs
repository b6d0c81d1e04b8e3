//! Broken links in Markdown.

use std::{fs, io, path::Path};

use crate::{markdown, tree};

/// Returns the links in Markdown files below a directory whose file or heading does not exist. It does not
/// follow links to other hosts.
///
/// # Errors
///
/// If a file cannot be read.
pub fn broken(directory: &Path) -> io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for path in tree::files(directory, "md")? {
        let text = fs::read_to_string(&path)?;
        for (line, link) in markdown::links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap_or(directory).join(file),
            };
            let does_exist = match (target.exists(), anchor) {
                (false, _) => false,
                (true, "") => true,
                (true, anchor) => has_anchor(&target, anchor)?,
            };
            if !does_exist {
                wrong.push(format!("{}:{line}: the target of {link} does not exist", path.display()));
            }
        }
    }
    Ok(wrong)
}

/// Whether a heading of a document has this anchor. Anchors in source files (`#L12`) are accepted.
fn has_anchor(target: &Path, anchor: &str) -> io::Result<bool> {
    if target.extension().is_none_or(|extension| extension != "md") {
        return Ok(true);
    }
    Ok(markdown::anchors(&fs::read_to_string(target)?).iter().any(|found| found == anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_missing_file_or_heading_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let text = "# One\n[a](b.md) [b](a.md#one) [c](#two) [d](missing.rs) [e](https://example.org/x)\n";
        fs::write(directory.path().join("a.md"), text).unwrap();
        fs::write(directory.path().join("b.md"), "nothing\n").unwrap();
        let wrong = broken(directory.path()).unwrap();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("#two") && wrong[1].contains("missing.rs"), "{wrong:?}");
    }
}
