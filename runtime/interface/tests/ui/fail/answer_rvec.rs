//! An `RVec` carries a vtable of the module, to be freed through.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> segue_abi::abi_stable::std_types::RVec<u8>;
}

fn main() {}
