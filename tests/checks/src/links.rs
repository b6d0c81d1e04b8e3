//! Links in Markdown that lead nowhere.

use std::{fs, io, path::Path};

use crate::{markdown, tree};

/// Links of all Markdown files below a directory whose file or heading does not exist. Links to other hosts are not followed.
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
            let is_there = match (target.exists(), anchor) {
                (false, _) => false,
                (true, "") => true,
                (true, anchor) => has_anchor(&target, anchor)?,
            };
            if !is_there {
                wrong.push(format!("{}:{line}: {link} leads nowhere", path.display()));
            }
        }
    }
    Ok(wrong)
}

/// Whether a heading of a document has this anchor. Lines of source files (`#L12`) count as there.
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
    fn a_link_to_a_file_or_heading_that_is_not_there_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let text = "# One\n[a](b.md) [b](a.md#one) [c](#two) [d](missing.rs) [e](https://example.org/x)\n";
        fs::write(directory.path().join("a.md"), text).unwrap();
        fs::write(directory.path().join("b.md"), "nothing\n").unwrap();
        let wrong = broken(directory.path()).unwrap();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("#two") && wrong[1].contains("missing.rs"), "{wrong:?}");
    }
}
