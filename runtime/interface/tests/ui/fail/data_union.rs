//! Of a union nobody knows what it holds.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone, Copy)]
pub union Number {
    pub signed: i64,
    pub unsigned: u64,
}

fn main() {}
