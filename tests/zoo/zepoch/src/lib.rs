//! A module around `crossbeam-epoch`.

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
            let g = crossbeam_epoch::pin();
            let a = crossbeam_epoch::Atomic::new(42);
            let p = a.load(std::sync::atomic::Ordering::Acquire, &g);
            let ok = !p.is_null();
            drop(g);
            // SAFETY: `a` is this call's own, so no other thread holds it.
            drop(unsafe { a.into_owned() });
            ok
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zepoch\n");
        Ok(())
    }
}

export_module!(Row);
