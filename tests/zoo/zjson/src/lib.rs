//! A module around `serde_json`.

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
            let v: serde_json::Value = serde_json::from_str(r#"{"a":[1,2]}"#).map_err(fault)?;
            v["a"][1] == 2
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zjson\n");
        Ok(())
    }
}

export_module!(Row);
