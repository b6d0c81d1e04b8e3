//! C++ with statics, thread-locals, `std::thread` and `std::async`, and its runtime inside the module.

use segue_sdk::prelude::*;

unsafe extern "C" {
    fn zcppstatic_work(n: i32) -> i32;
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        // SAFETY: it takes a number, and any thread may call it.
        let answer = unsafe { zcppstatic_work(41) };
        if answer != 42 {
            return Err(Fault::new(format!("wrong result: {answer}")));
        }
        reply.text("ok zcppstatic\n");
        Ok(())
    }
}

export_module!(Row);
