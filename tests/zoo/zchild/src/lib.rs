//! A thread that waits for a child process, which ends when the module closes its input, so never.

use segue_sdk::prelude::*;
use std::{
    process::{Command, Stdio},
    thread,
};

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        // The child's input stays open.
        std::mem::forget(child.stdin.take());
        thread::spawn(move || child.wait());
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        reply.text("ok zchild\n");
        Ok(())
    }
}

export_module!(Row);
