//! A module around `thread_local`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: thread_local::ThreadLocal<std::cell::Cell<u64>>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: thread_local::ThreadLocal::new() })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            let c = self.state.get_or(|| std::cell::Cell::new(0));
            c.set(c.get() + 1);
            c.get() > 0
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zthreadlocal\n");
        Ok(())
    }
}

export_module!(Row);
