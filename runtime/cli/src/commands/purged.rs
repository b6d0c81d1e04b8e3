//! How both purges answer.

use segue::Purged;

use super::status::{render_lingering, render_pin};
use crate::{
    ExitCode,
    text::{clean, micros, size},
};

/// Whether old is still there. Where there was none, nothing lingers.
pub(super) fn exit_code(purged: &Purged) -> ExitCode {
    if lingers(purged) { ExitCode::Lingering } else { ExitCode::Done }
}

fn lingers(purged: &Purged) -> bool {
    !purged.purged && (purged.lingering > 0 || !purged.pins.is_empty())
}

pub(super) fn render(purged: &Purged) -> String {
    let module = clean(&purged.module);
    let took = micros(purged.took_us);
    if lingers(purged) {
        let mut text = format!("{module}: old is still in memory after {took}");
        if purged.lingering > 0 {
            text.push_str(&format!(", with {}", render_lingering(purged.lingering)));
        }
        text.push('\n');
        for pin in &purged.pins {
            text.push_str(&format!("  {}\n", render_pin(pin)));
        }
        return text;
    }
    match (purged.purged, purged.unmapped) {
        (false, _) => format!("{module}: there is no old version\n"),
        (true, true) => {
            let left = purged.leaked_bytes.filter(|bytes| *bytes > 0);
            let freed =
                left.map_or(String::new(), |bytes| format!(", with {} that it had left", size(bytes)));
            let open = match purged.left_open.is_empty() {
                true => String::new(),
                false => format!("; left open: {}", purged.left_open),
            };
            format!("{module}: old is gone from memory{freed}; took {took}{open}\n")
        }
        (true, false) => format!("{module}: old is not used any more, and its image is kept; took {took}\n"),
    }
}

#[cfg(test)]
mod tests {
    use segue::{Pin, PinKind};

    use super::*;

    #[test]
    fn what_lingers_is_named_and_has_its_exit_code() {
        let gone = Purged {
            module: "greeter".to_owned(),
            purged: true,
            unmapped: true,
            took_us: 1500,
            lingering: 0,
            leaked_bytes: Some(0),
            left_open: segue::LeftOpen::default(),
            pins: Vec::new(),
        };
        assert_eq!(render(&gone), "greeter: old is gone from memory; took 1.5 ms\n");
        let left = Purged { leaked_bytes: Some(2048), ..gone.clone() };
        let text = "greeter: old is gone from memory, with 2.0 KiB that it had left; took 1.5 ms\n";
        assert_eq!(render(&left), text);
        assert_eq!(exit_code(&gone), ExitCode::Done);

        let none = Purged { purged: false, unmapped: false, ..gone.clone() };
        assert_eq!(render(&none), "greeter: there is no old version\n");
        assert_eq!(exit_code(&none), ExitCode::Done);

        let pin = |kind, detail: &str| Pin { kind, detail: detail.to_owned(), waits_for: "…".to_owned() };
        let pins = vec![pin(PinKind::Call, "GET /slow")];
        let lingering = Purged { took_us: 5_000_000, lingering: 1, pins, ..none.clone() };
        let text = "greeter: old is still in memory after 5.0 s, with 1 call inside\n  call: GET /slow\n";
        assert_eq!(render(&lingering), text);
        assert_eq!(exit_code(&lingering), ExitCode::Lingering);

        let pins = vec![pin(PinKind::Thread, "ticker")];
        let pinned = Purged { pins, ..none };
        assert_eq!(render(&pinned), "greeter: old is still in memory after 1.5 ms\n  thread: ticker\n");
        assert_eq!(exit_code(&pinned), ExitCode::Lingering);
    }
}
