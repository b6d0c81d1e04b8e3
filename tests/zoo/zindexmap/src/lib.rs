//! A module around `indexmap`.

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
        reply.text("ok zindexmap\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let squares: indexmap::IndexMap<u32, u32> = (0..100).rev().map(|n| (n, n * n)).collect();
    Ok(squares.first() == Some((&99, &9801)) && squares[&7] == 49)
}

export_module!(Row);
