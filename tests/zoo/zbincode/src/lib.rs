//! A module around `bincode`.

use segue_sdk::prelude::*;
use serde::{Deserialize, Serialize};

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zbincode\n");
        Ok(())
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    name: String,
    at: Vec<i64>,
}

fn works() -> Result<bool, Fault> {
    let point = Point { name: "here".to_owned(), at: vec![4, 2] };
    let text = bincode::serialize(&point)?;
    let again: Point = bincode::deserialize(&text)?;
    Ok(again == point)
}

export_module!(Row);
