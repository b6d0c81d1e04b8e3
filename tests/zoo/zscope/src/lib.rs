//! Threads of a scope that use variables of the thread that waits for them, forever.

use segue_sdk::prelude::*;
use std::{thread, time::Duration};

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        thread::spawn(|| {
            let numbers = [1, 2, 3];
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        while numbers.iter().sum::<i32>() == 6 {
                            thread::sleep(Duration::from_millis(5));
                        }
                    });
                }
            });
        });
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        reply.text("ok zscope\n");
        Ok(())
    }
}

export_module!(Row);
