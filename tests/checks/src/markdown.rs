//! Fenced blocks, headings and links of Markdown.

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The word after the opening fence, such as `sh`.
    pub language: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
    /// The lines between the fences.
    pub text: String,
    /// The text of an HTML comment on the line before the fence, or an empty string.
    pub note: String,
}

/// Returns the fenced blocks of a document.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut before = "";
    for (number, line) in document.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                let note = before.trim().strip_prefix("<!--").and_then(|note| note.strip_suffix("-->"));
                open = Some(Block {
                    language: language.trim().to_owned(),
                    line: number + 1,
                    text: String::new(),
                    note: note.unwrap_or_default().trim().to_owned(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
        before = line;
    }
    blocks
}

/// Returns the lines outside fenced blocks, numbered from 1.
fn prose(document: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_inside = false;
    document.lines().enumerate().filter_map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_inside ^= is_fence;
        (!is_inside && !is_fence).then_some((number + 1, line))
    })
}

/// Returns the targets of links and images (`[text](target)`) with their line numbers.
pub fn links(document: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(document) {
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            links.push((number, rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    links
}

/// Returns the anchors of a document's headings: `## With systemd` has `with-systemd`.
pub fn anchors(document: &str) -> Vec<String> {
    let headings = prose(document).filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line.trim_start_matches('#'))).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# A title, with `code`\n\nSee [this](a.md#b) and ![a picture](p.svg).\n\n<!-- needs: gdb -->\n\
                            ```sh\necho [no](link)\n# no heading\n```\n## Next\n";

    #[test]
    fn blocks_have_their_language_line_text_and_note() {
        let text = "echo [no](link)\n# no heading\n".to_owned();
        let block = Block { language: "sh".to_owned(), line: 6, text, note: "needs: gdb".to_owned() };
        assert_eq!(blocks(DOCUMENT), [block]);
    }

    #[test]
    fn links_and_headings_inside_blocks_do_not_count() {
        assert_eq!(links(DOCUMENT), [(3, "a.md#b".to_owned()), (3, "p.svg".to_owned())]);
        assert_eq!(anchors(DOCUMENT), ["a-title-with-code", "next"]);
    }
}
