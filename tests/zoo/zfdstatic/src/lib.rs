//! Files in a static.

use segue_sdk::prelude::*;
use std::{fs::File, io::Write, sync::LazyLock};

/// Rust does not drop statics, so these stay open. The history reports them.
static FILES: LazyLock<std::io::Result<[File; 2]>> =
    LazyLock::new(|| Ok([File::create("/dev/null")?, File::open("/proc/self/exe")?]));

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zfdstatic\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let files = FILES.as_ref().map_err(|error| Fault::new(error.to_string()))?;
    (&files[0]).write_all(b"x")?;
    Ok(files[1].metadata()?.is_file())
}

export_module!(Row);
