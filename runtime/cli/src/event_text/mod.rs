//! Events as text, for a person on call: when, what, which version and file, who asked, why, and what to do
//! next. A line belongs here if it words an event. Never ask the runtime here, and never print.

mod advice;
mod headline;
mod reason;

use segue::Record;

use crate::text::clean;

/// An event: one line, and indented lines for the reasons and the advice.
pub(crate) fn render(record: &Record) -> String {
    render_marked(record, "")
}

/// An event with a mark at the end of its first line.
pub(crate) fn render_marked(record: &Record, mark: &str) -> String {
    let actor = clean(&record.by.to_string()).into_owned();
    let headline = headline::of(record);
    let mut text = format!("{:.3}  #{:<4}  {headline} [by {actor}]{mark}\n", record.at, record.seq);
    for reason in reason::of(&record.event) {
        text.push_str(&format!("      why:  {reason}\n"));
    }
    if let Some(advice) = advice::of(&record.event) {
        text.push_str(&format!("      next: {advice}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use segue::{Code, ErrorObject, Event, Step};

    use super::*;
    use crate::test_data::record;

    #[test]
    fn a_refusal_has_its_actor_reasons_and_advice() {
        let member = |module: &str, message: &str| ErrorObject {
            code: Code::OnLoadFailed,
            step: Some(Step::OnLoad),
            module: Some(module.to_owned()),
            message: message.to_owned(),
            hint: None,
            members: Vec::new(),
        };
        let error = ErrorObject {
            hint: Some("fix them".to_owned()),
            module: None,
            members: vec![member("shop", "shop: no\ntill"), member("till", "till: no drawer")],
            ..member("", "2 of the set cannot be loaded")
        };
        let refused = record(7, Event::Refused { source: "/srv/a.so, /srv/b.so".to_owned(), error });
        assert_eq!(
            render(&refused),
            "2026-01-02T03:04:05.123Z  #7     refused /srv/a.so, /srv/b.so at step on_load (on_load_failed); nothing changed \
             [by uid 1000, pid 77]
      why:  shop: no\\u{a}till
      why:  till: no drawer
      next: fix them
"
        );
    }
}
