//! The attribute makes the promise, for fields that keep it.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Name(segue::Str<'static>);

fn main() {
    fn crosses<T: segue::Argument>() {}
    crosses::<Name>();
}
