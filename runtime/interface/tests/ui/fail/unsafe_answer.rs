//! What crosses is the promise of an answer, and nothing checks it: who makes one up says `unsafe`.

extern crate segue_interface as segue;

pub struct Name(String);

impl segue::Answer for Name {
    type Wire = String;
    type Layout = ();
    const DEFINITION: &'static str = "";
    const FINGERPRINT: u64 = 0;

    fn into_wire(self) -> String {
        self.0
    }

    fn from_wire(wire: String) -> Self {
        Name(wire)
    }
}

fn main() {}
