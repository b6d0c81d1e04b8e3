//! A module around `curl, static`.

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
        reply.text("ok zcurl\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let mut easy = curl::easy::Easy::new();
    easy.url("http://127.0.0.1:1/")?;
    Ok(easy.perform().is_err())
}

export_module!(Row);
