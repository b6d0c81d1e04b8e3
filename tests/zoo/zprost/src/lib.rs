//! A module around `prost`.

use prost::Message;
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
        reply.text("ok zprost\n");
        Ok(())
    }
}

#[derive(Clone, PartialEq, Message)]
struct Point {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, repeated, tag = "2")]
    at: Vec<i64>,
}

fn works() -> Result<bool, Fault> {
    let point = Point { name: "here".to_owned(), at: vec![4, 2] };
    Ok(Point::decode(point.encode_to_vec().as_slice())? == point)
}

export_module!(Row);
