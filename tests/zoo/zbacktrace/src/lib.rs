//! A module around `backtrace`.

use segue_sdk::prelude::*;

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zbacktrace\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let trace = backtrace::Backtrace::new();
    let mut names =
        trace.frames().iter().flat_map(|frame| frame.symbols()).filter_map(|symbol| symbol.name());
    Ok(names.any(|name| name.to_string().contains("zbacktrace")))
}

export_module!(Row);
