//! A module around `argon2`.

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
        reply.text("ok zargon2\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let params = argon2::Params::new(64, 1, 1, None).map_err(|error| Fault::new(error.to_string()))?;
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = [0; 32];
    argon2
        .hash_password_into(b"a password", b"a long salt", &mut key)
        .map_err(|error| Fault::new(error.to_string()))?;
    Ok(key != [0; 32])
}

export_module!(Row);
