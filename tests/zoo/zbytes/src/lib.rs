//! A module around `bytes`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
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
        reply.text("ok zbytes\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let mut buffer = BytesMut::with_capacity(64);
    buffer.put_u32(42);
    buffer.put_slice(b"more");
    let mut whole = buffer.freeze();
    let shared = whole.clone();
    Ok(whole.get_u32() == 42 && shared.len() == 8 && Bytes::from_static(b"more") == whole)
}

export_module!(Row);
