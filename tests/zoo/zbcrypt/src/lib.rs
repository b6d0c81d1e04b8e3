//! A module around `bcrypt`.

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
        reply.text("ok zbcrypt\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let hash = bcrypt::hash("a password", 4)?;
    Ok(bcrypt::verify("a password", &hash)? && !bcrypt::verify("another", &hash)?)
}

export_module!(Row);
