//! A module around `signal-hook`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row {
            state: {
                let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
                signal_hook::flag::register(signal_hook::consts::SIGUSR1, flag.clone()).map_err(fault)?;
                flag
            },
        })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            let _ = self.state.load(std::sync::atomic::Ordering::Relaxed);
            true
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zsighook\n");
        Ok(())
    }
}

export_module!(Row);
