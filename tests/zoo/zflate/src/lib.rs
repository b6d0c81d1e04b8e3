//! A module around `flate2`.

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
            use std::io::{Read, Write};
            let mut e = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            e.write_all(b"hello").map_err(fault)?;
            let b = e.finish().map_err(fault)?;
            let mut s = String::new();
            flate2::read::GzDecoder::new(&b[..]).read_to_string(&mut s).map_err(fault)?;
            s == "hello"
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zflate\n");
        Ok(())
    }
}

export_module!(Row);
