//! The twin of `fail/data_union.rs`.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone, Copy)]
pub enum Number {
    Signed(i64),
    Unsigned(u64),
}

fn main() {}
