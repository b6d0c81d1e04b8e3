//! The active field of a union is unknown.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone, Copy)]
pub union Number {
    pub signed: i64,
    pub unsigned: u64,
}

fn main() {}
