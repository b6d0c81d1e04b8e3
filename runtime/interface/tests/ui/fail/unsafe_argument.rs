//! What crosses is the promise of an argument, and nothing checks it: who makes one up says `unsafe`.

extern crate segue_interface as segue;

pub struct Name(String);

impl segue::Argument for Name {
    type Of<'call> = Name;
    type Wire<'call> = String;
    type Layout = ();
    const DEFINITION: &'static str = "";
    const FINGERPRINT: u64 = 0;

    fn into_wire<'call>(self) -> String {
        self.0
    }

    fn from_wire<'call>(wire: String) -> Self {
        Name(wire)
    }
}

fn main() {}
