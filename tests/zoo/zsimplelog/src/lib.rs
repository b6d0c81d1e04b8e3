//! A module around `simplelog`.

use segue_sdk::prelude::*;
use simplelog::{Config, LevelFilter};

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        // The runtime has set its logger, so this one is refused. That is no reason to fail.
        let _ = simplelog::WriteLogger::init(LevelFilter::Info, Config::default(), std::io::sink());
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zsimplelog\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    log::info!("called");
    Ok(true)
}

export_module!(Row);
