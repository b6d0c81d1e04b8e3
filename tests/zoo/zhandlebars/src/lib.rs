//! A module around `handlebars`.

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
            handlebars::Handlebars::new()
                .render_template("{{a}}", &serde_json::json!({"a": 42}))
                .map_err(fault)?
                == "42"
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zhandlebars\n");
        Ok(())
    }
}

export_module!(Row);
