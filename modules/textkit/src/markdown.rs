//! `POST /markdown`: converts Markdown to an HTML fragment that a page can include.
//!
//! Markdown may contain HTML, and a link may run a script. Neither may reach the page. HTML in the text is
//! *escaped*, so a reader sees it as it was typed. A link or an image keeps its target only if the target is
//! relative or has one of the [`SCHEMES`]. Otherwise its target is empty.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use segue_sdk::prelude::*;

use crate::{
    answer::{Answer, Refusal},
    body,
};

/// The extensions of CommonMark that this build supports.
pub(crate) const EXTENSIONS: &[&str] =
    if cfg!(feature = "tables") { &["tables", "strikethrough"] } else { &[] };

/// The allowed schemes of a link, in lower case. None of them runs anything in the page.
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel"];

/// Renders the body.
pub(crate) fn answer(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::html(render(body::text(request)?)))
}

fn render(markdown: &str) -> String {
    let mut fragment = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut fragment, Parser::new_ext(markdown, options()).map(sanitize));
    fragment
}

fn options() -> Options {
    if cfg!(feature = "tables") {
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH
    } else {
        Options::empty()
    }
}

/// Removes from one part of the document whatever a browser could run.
fn sanitize(event: Event<'_>) -> Event<'_> {
    match event {
        // The renderer escapes text.
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        // A block of HTML becomes text, and text needs a paragraph around it.
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: sanitize_target(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: sanitize_target(dest_url), title, id })
        }
        other => other,
    }
}

fn sanitize_target(target: CowStr<'_>) -> CowStr<'_> {
    match scheme(&target) {
        Some(scheme) if !SCHEMES.contains(&scheme.as_str()) => CowStr::Borrowed(""),
        _ => target,
    }
}

/// The scheme of a link as a browser reads it, in lower case. A browser ignores control characters and white
/// space.
fn scheme(target: &str) -> Option<String> {
    let (before, _) = target.split_once(':')?;
    if before.contains(['/', '?', '#']) {
        return None;
    }
    Some(before.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect::<String>().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_rendered_as_html() {
        assert_eq!(
            render("# Title\n\nA *b* & `c`."),
            "<h1>Title</h1>\n<p>A <em>b</em> &amp; <code>c</code>.</p>\n"
        );
    }

    #[test]
    fn html_is_escaped() {
        assert_eq!(
            render("<script>alert(1)</script>\n\na <b onclick=x>b</b>"),
            "<p>&lt;script&gt;alert(1)&lt;/script&gt;\n</p>\n<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>\n"
        );
    }

    #[test]
    fn only_safe_links_keep_their_target() {
        for target in [
            "https://a.example/x?y#z",
            "/a:b",
            "a/b",
            "#top",
            "?q=a:b",
            "//a.example",
            "HTTP://a",
            "mailto:a@b",
        ] {
            assert!(render(&format!("[x](<{target}>)")).contains(target), "{target}");
        }
        for target in [
            "javascript:alert(1)",
            "JavaScript:x",
            "java\tscript:x",
            "\u{1}javascript:x",
            "data:text/html,x",
            "vbscript:x",
            ":x",
        ] {
            assert!(render(&format!("[x](<{target}>)")).contains("href=\"\""), "{target:?}");
            assert!(render(&format!("![x](<{target}>)")).contains("src=\"\""), "{target:?}");
        }
        assert!(render("[x](javascript&#58;alert(1))").contains("href=\"\""));
        assert!(render("<javascript:alert(1)>").contains("href=\"\""));
        assert!(render("[x]\n\n[x]: javascript:alert(1)").contains("href=\"\""));
    }

    #[test]
    fn only_the_next_version_renders_tables_and_strikethrough() {
        let fragment = render("|a|\n|-|\n|~~b~~|\n");
        assert_eq!(fragment.contains("<table>"), cfg!(feature = "tables"));
        assert_eq!(fragment.contains("<del>b</del>"), cfg!(feature = "tables"));
    }
}
