//! A module around `tracing-subscriber, with_default`.

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
        reply.text("ok ztracingsub\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    Ok(tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("call", answer = 42);
        let _inside = span.enter();
        tracing::info!("called");
        span.metadata().is_some()
    }))
}

export_module!(Row);
