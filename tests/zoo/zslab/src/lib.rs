//! A module around `slab`.

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
        reply.text("ok zslab\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let mut slab = slab::Slab::new();
    let keys: Vec<usize> = (0..100).map(|n| slab.insert(n.to_string())).collect();
    Ok(keys.iter().all(|key| slab.try_remove(*key).is_some()) && slab.is_empty())
}

export_module!(Row);
