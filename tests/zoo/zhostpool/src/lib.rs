//! A module around `rayon, global pool of host.pool()`.

use rayon::prelude::*;
use segue_sdk::prelude::*;

struct Row;

impl Module for Row {
    fn on_load(host: &Host) -> Result<Self, Fault> {
        host.pool()?;
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let sum: u64 = (1..=1000u64).into_par_iter().sum();
        rayon::spawn(|| (0..100u64).into_par_iter().for_each(|_| ()));
        if sum != 500_500 {
            return Err(Fault::new("wrong sum"));
        }
        reply.text("ok zhostpool\n");
        Ok(())
    }
}

export_module!(Row);
