//! The twin of `fail/answer_string.rs`.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> segue::Str<'static>;
}

fn main() {}
