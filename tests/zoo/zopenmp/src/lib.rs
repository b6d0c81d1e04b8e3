//! A parallel loop of OpenMP, whose pool of threads belongs to libgomp.

use segue_sdk::prelude::*;

unsafe extern "C" {
    fn zopenmp_work(n: i32) -> i32;
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        // SAFETY: it takes a number, and any thread may call it.
        let answer = unsafe { zopenmp_work(41) };
        if answer != 42 {
            return Err(Fault::new(format!("wrong result: {answer}")));
        }
        reply.text("ok zopenmp\n");
        Ok(())
    }
}

export_module!(Row);
