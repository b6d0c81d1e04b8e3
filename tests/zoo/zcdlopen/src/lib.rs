//! A library that is opened while the module runs, and never closed.

use segue_sdk::prelude::*;

unsafe extern "C" {
    fn zcdlopen_start() -> i32;
    fn zcdlopen_work(n: i32) -> i32;
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        // SAFETY: it takes no argument, and only `on_load` calls it.
        if unsafe { zcdlopen_start() } != 0 {
            return Err(Fault::new("it does not start"));
        }
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        // SAFETY: it takes a number, and any thread may call it.
        let answer = unsafe { zcdlopen_work(41) };
        if answer != 42 {
            return Err(Fault::new(format!("wrong result: {answer}")));
        }
        reply.text("ok zcdlopen\n");
        Ok(())
    }
}

export_module!(Row);
