//! C++ exceptions through twenty frames and from thread to thread, with the C++ runtime inside the module.

use segue_sdk::prelude::*;

unsafe extern "C" {
    fn zcppexc_work(n: i32) -> i32;
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        // SAFETY: it takes a number, and any thread may call it.
        let answer = unsafe { zcppexc_work(41) };
        if answer != 42 {
            return Err(Fault::new(format!("wrong result: {answer}")));
        }
        reply.text("ok zcppexc\n");
        Ok(())
    }
}

export_module!(Row);
