//! A thread-local on each calling thread. Its destructor reads memory of the module.

use segue_sdk::prelude::*;
use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept(Vec::new())) };
}

struct Kept(Vec<u32>);

impl Drop for Kept {
    fn drop(&mut self) {
        assert!(self.0.iter().all(|n| *n == 42), "the memory of a thread-local was reused");
    }
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok ztlsdrop\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    Ok(KEPT.with_borrow_mut(|kept| {
        kept.0.push(42);
        kept.0.last() == Some(&42)
    }))
}

export_module!(Row);
