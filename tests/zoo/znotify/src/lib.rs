//! A module around `notify`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: notify::RecommendedWatcher,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row {
            state: {
                use notify::Watcher;
                let mut w = notify::recommended_watcher(|_| {}).map_err(fault)?;
                w.watch("/tmp".as_ref(), notify::RecursiveMode::NonRecursive).map_err(fault)?;
                w
            },
        })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = { true };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok znotify\n");
        Ok(())
    }
}

export_module!(Row);
