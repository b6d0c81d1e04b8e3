//! A module around `flume`.

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
            let (s, r) = flume::unbounded();
            let t = std::thread::spawn(move || s.send(42));
            let ok = r.recv().map_err(fault)? == 42;
            let _ = t.join();
            ok
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zflume\n");
        Ok(())
    }
}

export_module!(Row);
