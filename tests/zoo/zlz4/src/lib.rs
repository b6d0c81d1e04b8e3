//! A module around `lz4_flex`.

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
            lz4_flex::decompress_size_prepended(&lz4_flex::compress_prepend_size(b"hello")).map_err(fault)?
                == b"hello"
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zlz4\n");
        Ok(())
    }
}

export_module!(Row);
