//! A closure is code of the module, behind a vtable of the module.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Box<dyn Fn() -> u32>;
}

fn main() {}
