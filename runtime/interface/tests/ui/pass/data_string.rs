//! The twin of `fail/data_string.rs`.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Article {
    pub name: segue::Str<'static>,
    pub price: u32,
}

fn main() {}
