//! The twin of `fail/answer_result.rs`.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Result<segue::Str<'static>, segue::Fault>;
}

fn main() {}
