//! Why an event happened, if something went wrong.

use segue::Event;

use crate::{text::clean, view::pin};

/// The reasons, one per line.
pub(super) fn of(event: &Event) -> Vec<String> {
    match event {
        // The message of each member names its module or its file.
        Event::Refused { error, .. } if !error.members.is_empty() => {
            error.members.iter().map(|member| clean(&member.message).into_owned()).collect()
        }
        Event::Refused { error, .. } => vec![clean(&error.message).into_owned()],
        Event::Quarantined { pins, .. } => pins
            .iter()
            .map(|pin| format!("{}; waits for {}", pin::render(pin), clean(&pin.waits_for)))
            .collect(),
        Event::Loaded { warnings, .. } => {
            warnings.iter().map(|warning| clean(&warning.message).into_owned()).collect()
        }
        Event::Crashed { place: Some(place), .. } => vec![format!("it happened in {}", clean(place))],
        Event::Blocked { why, .. } | Event::NotRestored { why, .. } => vec![clean(why).into_owned()],
        Event::WatchFailed { reason, .. } => vec![clean(reason).into_owned()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use segue::{Pin, PinKind};

    use super::*;
    use crate::test_data::id;

    #[test]
    fn a_quarantined_version_names_its_pins() {
        let pin =
            Pin { kind: PinKind::Thread, detail: "ticker".to_owned(), waits_for: "it to end".to_owned() };
        let quarantined =
            Event::Quarantined { module: "greeter".to_owned(), old: id("1.0.0", 1), pins: vec![pin] };
        assert_eq!(of(&quarantined), ["thread: ticker; waits for it to end"]);
    }
}
