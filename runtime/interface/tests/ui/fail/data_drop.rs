//! A value is taken apart on its way, and code of whoever made it would have to run when it goes.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Receipt {
    pub text: segue::Str<'static>,
}

impl Drop for Receipt {
    fn drop(&mut self) {}
}

fn main() {}
