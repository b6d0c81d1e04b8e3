//! The twin of `fail/data_empty_enum.rs`.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub enum Nothing {
    AtAll,
}

fn main() {}
