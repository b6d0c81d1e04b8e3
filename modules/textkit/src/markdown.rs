//! `POST /markdown`: Markdown becomes an HTML fragment that a page can include.
//!
//! Markdown may contain HTML, and links may run script. Neither passes: HTML in the text is *escaped*, so a reader sees
//! it as it was typed, and a link or an image keeps its target only where that is relative or of a scheme in
//! [`SCHEMES`]; otherwise its target is empty.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use segue_sdk::prelude::*;

use crate::{
    answer::{Answer, Refusal},
    route::text,
};

/// What this build understands beyond CommonMark.
pub(crate) const EXTENSIONS: &[&str] =
    if cfg!(feature = "tables") { &["tables", "strikethrough"] } else { &[] };

/// The schemes that a link may have, in lower case: none of them runs anything in the page that shows it.
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel"];

/// Renders the body.
pub(crate) fn answer(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::html(render(text(request)?)))
}

fn render(markdown: &str) -> String {
    let mut fragment = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut fragment, Parser::new_ext(markdown, options()).map(harmless));
    fragment
}

fn options() -> Options {
    if cfg!(feature = "tables") {
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH
    } else {
        Options::empty()
    }
}

/// Takes from one piece of the document whatever could run.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        // The renderer escapes text.
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        // Text needs something around it where it stands alone.
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: harmless_target(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: harmless_target(dest_url), title, id })
        }
        other => other,
    }
}

fn harmless_target(target: CowStr<'_>) -> CowStr<'_> {
    match scheme(&target) {
        Some(scheme) if !SCHEMES.contains(&scheme.as_str()) => CowStr::Borrowed(""),
        _ => target,
    }
}

/// The scheme of a link as a browser reads it: it ignores control characters and blanks, and capitals.
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
    fn markdown_becomes_html() {
        assert_eq!(
            render("# Title\n\nA *b* & `c`."),
            "<h1>Title</h1>\n<p>A <em>b</em> &amp; <code>c</code>.</p>\n"
        );
    }

    #[test]
    fn html_is_shown_and_not_run() {
        assert_eq!(
            render("<script>alert(1)</script>\n\na <b onclick=x>b</b>"),
            "<p>&lt;script&gt;alert(1)&lt;/script&gt;\n</p>\n<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>\n"
        );
    }

    #[test]
    fn only_harmless_links_keep_their_target() {
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
    fn tables_are_what_the_next_version_adds() {
        let fragment = render("|a|\n|-|\n|~~b~~|\n");
        assert_eq!(fragment.contains("<table>"), cfg!(feature = "tables"));
        assert_eq!(fragment.contains("<del>b</del>"), cfg!(feature = "tables"));
    }
}
