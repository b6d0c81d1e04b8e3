//! A module around `r2d2, pool in a static`.

use r2d2::{ManageConnection, Pool};
use segue_sdk::prelude::*;
use std::{convert::Infallible, sync::LazyLock};

/// Its threads open connections and never end.
static POOL: LazyLock<Pool<Numbers>> =
    LazyLock::new(|| Pool::builder().max_size(4).build(Numbers).expect("a pool"));

struct Numbers;

impl ManageConnection for Numbers {
    type Connection = u32;
    type Error = Infallible;

    fn connect(&self) -> Result<u32, Infallible> {
        Ok(42)
    }

    fn is_valid(&self, _: &mut u32) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if *POOL.get()? != 42 {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zr2d2\n");
        Ok(())
    }
}

export_module!(Row);
