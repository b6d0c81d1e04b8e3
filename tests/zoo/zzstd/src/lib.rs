//! A module around `zstd`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: (),
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: () })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            let b = zstd::encode_all(&b"hello"[..], 3).map_err(fault)?;
            zstd::decode_all(&b[..]).map_err(fault)? == b"hello"
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zzstd\n");
        Ok(())
    }
}

export_module!(Row);
