//! A module around `crossbeam`.

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
            let (s, r) = crossbeam::channel::bounded(4);
            crossbeam::thread::scope(|t| {
                t.spawn(move |_| {
                    for i in 0..10 {
                        s.send(i).expect("open");
                    }
                });
                r.iter().sum::<i32>()
            })
            .map_err(|_| fault("panic"))?
                == 45
        };
        if !good {
            return Err(fault("wrong result"));
        }
        reply.text("ok zxbeam\n");
        Ok(())
    }
}

export_module!(Row);
