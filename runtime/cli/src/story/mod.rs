//! What happened, told so that a person who was woken by it understands: when, what, which version and file, who asked, and where
//! something went wrong, why, and what to do next.

mod next;
mod words;

use segue::{Digest, Record};

use crate::text::clean;

/// How much of a digest tells two files apart, with its prefix.
const DIGEST_CHARS: usize = "sha256:".len() + 12;

/// Tells one event: a line, and where there is more to say, lines that are set off.
pub(crate) fn tell(record: &Record) -> String {
    tell_marked(record, "")
}

/// Tells one event, with a mark at the end of its line.
pub(crate) fn tell_marked(record: &Record, mark: &str) -> String {
    let by = clean(&record.by.to_string()).into_owned();
    let what = words::what(record);
    let mut text = format!("{:.3}  #{:<4}  {what} [by {by}]{mark}\n", record.at, record.seq);
    for reason in words::why(&record.event) {
        text.push_str(&format!("      why:  {reason}\n"));
    }
    if let Some(next) = next::next(&record.event) {
        text.push_str(&format!("      next: {next}\n"));
    }
    text
}

/// A digest, as far as it tells two files apart.
pub(crate) fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(DIGEST_CHARS).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use segue::{Actor, Code, ErrorObject, Event, Step, VersionId};

    use super::*;

    pub(crate) fn id(version: &str, generation: u64) -> VersionId {
        VersionId { version: version.to_owned(), generation }
    }

    pub(crate) fn record(seq: u64, event: Event) -> Record {
        let by = Actor::Peer { uid: 1000, pid: Some(77) };
        Record { seq, at: "2026-01-02T03:04:05.123456Z".parse().unwrap(), by, event }
    }

    #[test]
    fn a_refusal_has_who_why_and_what_next() {
        let member = |module: &str, message: &str| ErrorObject {
            code: Code::OnLoadFailed,
            step: Some(Step::OnLoad),
            module: Some(module.to_owned()),
            message: message.to_owned(),
            hint: None,
            members: Vec::new(),
        };
        let error = ErrorObject {
            hint: Some("mend them".to_owned()),
            module: None,
            members: vec![member("shop", "shop: no\ntill"), member("till", "till: no drawer")],
            ..member("", "2 of the set cannot be loaded")
        };
        let refused = record(7, Event::Refused { source: "/srv/a.so, /srv/b.so".to_owned(), error });
        assert_eq!(
            tell(&refused),
            "2026-01-02T03:04:05.123Z  #7     refused /srv/a.so, /srv/b.so at the step on_load (on_load_failed): nothing has \
             changed [by uid 1000, pid 77]
      why:  shop: no\\u{a}till
      why:  till: no drawer
      next: mend them
"
        );
    }
}
