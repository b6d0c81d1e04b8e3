//! The answer to `purge` and `soft-purge`.

use segue::Purged;

use crate::{
    exit_code::ExitCode,
    text::{clean, count, micros, size},
    view::pin,
};

/// Whether something still keeps the old version in memory. Without an old version, nothing does.
pub(crate) fn exit_code(purged: &Purged) -> ExitCode {
    if is_lingering(purged) { ExitCode::Lingering } else { ExitCode::Done }
}

fn is_lingering(purged: &Purged) -> bool {
    !purged.purged && (purged.lingering > 0 || !purged.pins.is_empty())
}

pub(crate) fn render(purged: &Purged) -> String {
    let module = clean(&purged.module);
    let took = micros(purged.took_us);
    if is_lingering(purged) {
        let mut text = format!("{module}: the old version is still in memory after {took}");
        if purged.lingering > 0 {
            text.push_str(&format!(", with {} inside", count(purged.lingering, "call")));
        }
        text.push('\n');
        for pin in &purged.pins {
            text.push_str(&format!("  {}\n", pin::render(pin)));
        }
        return text;
    }
    match (purged.purged, purged.unmapped) {
        (false, _) => format!("{module}: there is no old version\n"),
        (true, true) => {
            let leaked = purged.leaked_bytes.filter(|bytes| *bytes > 0);
            let freed =
                leaked.map_or(String::new(), |bytes| format!("; freed {} that it had leaked", size(bytes)));
            let open = match purged.left_open.is_empty() {
                true => String::new(),
                false => format!("; left open: {}", purged.left_open),
            };
            format!("{module}: the old version is unloaded; took {took}{freed}{open}\n")
        }
        (true, false) => {
            format!("{module}: the old version is unused but could not be unmapped; took {took}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use segue::PinKind;

    use super::*;
    use crate::test_data::pin;

    #[test]
    fn an_unloaded_version_exits_with_0() {
        let unloaded = Purged {
            module: "greeter".to_owned(),
            purged: true,
            unmapped: true,
            took_us: 1500,
            lingering: 0,
            leaked_bytes: Some(0),
            left_open: segue::LeftOpen::default(),
            pins: Vec::new(),
        };
        assert_eq!(render(&unloaded), "greeter: the old version is unloaded; took 1.5 ms\n");
        let leaked = Purged { leaked_bytes: Some(2048), ..unloaded.clone() };
        let text = "greeter: the old version is unloaded; took 1.5 ms; freed 2.0 KiB that it had leaked\n";
        assert_eq!(render(&leaked), text);
        assert_eq!(exit_code(&unloaded), ExitCode::Done);

        let none = Purged { purged: false, unmapped: false, ..unloaded };
        assert_eq!(render(&none), "greeter: there is no old version\n");
        assert_eq!(exit_code(&none), ExitCode::Done);
    }

    #[test]
    fn a_version_that_lingers_is_explained_and_exits_with_5() {
        let lingering = Purged {
            module: "greeter".to_owned(),
            purged: false,
            unmapped: false,
            took_us: 5_000_000,
            lingering: 1,
            leaked_bytes: None,
            left_open: segue::LeftOpen::default(),
            pins: vec![pin(PinKind::Call, "GET /slow")],
        };
        let text = "greeter: the old version is still in memory after 5.0 s, with 1 call inside\n  call: GET /slow\n";
        assert_eq!(render(&lingering), text);
        assert_eq!(exit_code(&lingering), ExitCode::Lingering);

        let pins = vec![pin(PinKind::Thread, "ticker")];
        let pinned = Purged { took_us: 1500, lingering: 0, pins, ..lingering };
        let text = "greeter: the old version is still in memory after 1.5 ms\n  thread: ticker\n";
        assert_eq!(render(&pinned), text);
        assert_eq!(exit_code(&pinned), ExitCode::Lingering);
    }
}
