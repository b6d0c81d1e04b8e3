//! A module around `threadpool`.

use segue_sdk::prelude::*;

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(error.to_string())
}

#[allow(dead_code)]
struct Row {
    state: std::sync::Mutex<threadpool::ThreadPool>,
}

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row { state: std::sync::Mutex::new(threadpool::ThreadPool::new(2)) })
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let good: bool = {
            let (s, r) = std::sync::mpsc::channel();
            self.state.lock().map_err(fault)?.execute(move || {
                let _ = s.send(42);
            });
            r.recv().map_err(fault)? == 42
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zthreadpool\n");
        Ok(())
    }
}

export_module!(Row);
