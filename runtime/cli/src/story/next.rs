//! What to do next, where an event leaves something to be done.

use segue::Event;

use crate::text::clean;

/// What to do next; none where nothing is to be done.
pub(super) fn next(event: &Event) -> Option<String> {
    let module = event.module().map(|module| clean(module).into_owned()).unwrap_or_default();
    match event {
        Event::Loaded { trial_ms, warnings, .. } => {
            let confirm = trial_ms.map(|_| {
                format!("`segue confirm {module}` has a restart return to it; `segue rollback {module}` goes back at once")
            });
            let hints = warnings.iter().map(|warning| clean(&warning.hint).into_owned()).chain(confirm);
            Some(hints.collect::<Vec<_>>().join("; ")).filter(|next| !next.is_empty())
        }
        Event::Refused { error, .. } => error.hint.as_deref().map(clean).map(Into::into),
        Event::TrialOver { .. } => {
            Some(format!("`segue confirm {module}` keeps it over a restart; or load a better one"))
        }
        Event::Deleted { .. } => Some("a load of any version has it back".to_owned()),
        Event::Quarantined { .. } => Some(format!(
            "nothing, it leaves by itself when it is let go; `segue pins {module}` shows by whom"
        )),
        Event::Crashed { left_ms: Some(_), .. } => Some(
            "something kept a pointer into it: a callback in a C library, a handler, or a thread. `segue check FILE` and \
             `segue probe FILE` name the suspects; nothing is blocked"
                .to_owned(),
        ),
        Event::Crashed { .. } => {
            Some("`segue blocked` shows whether its file is loaded again; find out why it fails".to_owned())
        }
        Event::Blocked { digest, .. } => Some(format!(
            "load a version that does not fail so; `segue unblock {digest}` allows this one again"
        )),
        Event::NotRestored { .. } => Some(format!(
            "where it is good after all, load it again and `segue confirm {module}`; otherwise nothing"
        )),
        Event::WatchFailed { .. } => Some("see that it exists and can be read; it is tried again".to_owned()),
        _ => None,
    }
}
