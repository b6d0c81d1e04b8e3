//! A module around `bzip2, static`.

use segue_sdk::prelude::*;
use std::io::{Read, Write};

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zbzip2\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let text = [7_u8; 20_000];
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packed.write_all(&text)?;
    let packed = packed.finish()?;
    let mut unpacked = Vec::new();
    bzip2::read::BzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked)?;
    Ok(packed.len() < 1000 && unpacked == text)
}

export_module!(Row);
