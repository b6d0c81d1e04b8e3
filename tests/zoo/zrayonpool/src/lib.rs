//! A module around `rayon, own pool`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: rayon::ThreadPool,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: rayon::ThreadPoolBuilder::new().num_threads(2).build().map_err(fault)? })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            use rayon::prelude::*;
            self.state.install(|| (1..=1000u64).into_par_iter().sum::<u64>()) == 500_500
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zrayonpool\n");
        Ok(())
    }
}

export_module!(Row);
