//! What to do after an event.

use segue::Event;

use crate::text::clean;

/// The advice; `None` if there is nothing to do.
pub(super) fn of(event: &Event) -> Option<String> {
    let module = event.module().map(|module| clean(module).into_owned()).unwrap_or_default();
    let confirm = format!("`segue confirm {module}` makes a restart return to it");
    match event {
        Event::Loaded { trial_ms, warnings, .. } => {
            let confirm = trial_ms.map(|_| format!("{confirm}; `segue rollback {module}` goes back at once"));
            let hints = warnings.iter().map(|warning| clean(&warning.hint).into_owned()).chain(confirm);
            Some(hints.collect::<Vec<_>>().join("; ")).filter(|advice| !advice.is_empty())
        }
        Event::Refused { error, .. } => error.hint.as_deref().map(clean).map(Into::into),
        Event::TrialOver { .. } => Some(format!("{confirm}; or load another version")),
        Event::Deleted { .. } => Some("load any version to make the module callable again".to_owned()),
        Event::Quarantined { .. } => Some(format!(
            "`segue pins {module}` shows what keeps it; it is unloaded when nothing does"
        )),
        Event::Crashed { left_ms: Some(_), .. } => Some(
            "something kept a pointer into it: a callback in a C library, a handler, or a thread; `segue check FILE` and \
             `segue probe FILE` name the suspects; nothing was blocked"
                .to_owned(),
        ),
        Event::Crashed { .. } => {
            Some("`segue blocked` shows whether the file is blocked; find out why it crashes".to_owned())
        }
        Event::Blocked { digest, .. } => Some(format!(
            "load a version without the fault; `segue unblock {digest}` allows this one again"
        )),
        Event::NotRestored { .. } => {
            Some(format!("if the version is good, load it again and `segue confirm {module}`"))
        }
        Event::WatchFailed { .. } => {
            Some("check that it exists and is readable; the runtime keeps trying".to_owned())
        }
        _ => None,
    }
}
