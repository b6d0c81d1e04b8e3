//! A thread that panics on each call.

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
        reply.text("ok zpanicker\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let joined = std::thread::spawn(|| -> u32 { panic!("on purpose") }).join();
    Ok(joined.is_err())
}

export_module!(Row);
