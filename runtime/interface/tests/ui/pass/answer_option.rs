//! The twin of `fail/answer_option.rs`.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Option<segue::Str<'static>>;
}

fn main() {}
