//! A module around `regex`.

use segue_sdk::prelude::*;
use std::sync::LazyLock;

static R: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"^\d{4}-\d\d").expect("a pattern"));

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: (),
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: () })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = { R.is_match("2024-01-01") };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zregex\n");
        Ok(())
    }
}

export_module!(Row);
