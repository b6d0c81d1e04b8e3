//! The interface of the fixture `till`. The fixture includes this very file, so that each side compiles it
//! for itself.

use segue::{Bytes, Fault, List, Str};

/// Everything that an interface can say.
#[segue::interface]
pub trait Till {
    /// The text so many times.
    fn echo(&self, text: Str<'_>, times: u32) -> Str<'static>;
    /// All of it together; none of nothing.
    fn sum(&self, amounts: List<'_, Amount>) -> Option<Amount>;
    /// What is written in the module's own memory.
    fn literal(&self) -> Str<'static>;
    /// So many of them.
    fn receipts(&self, count: u32) -> List<'static, Receipt>;
    /// The lines, one after the other.
    fn bytes(&self, of: &Receipt) -> Bytes<'static>;
    /// An error that is part of the answer.
    fn half(&self, number: u32) -> Result<u32, Odd>;
    /// The next one.
    fn next(&self, number: Option<u32>) -> Option<u32>;
    /// An error that is none.
    fn fail(&self, how: How) -> Result<u8, Fault>;
    /// Stays inside for so long.
    fn stay(&self, ms: u64);
}

/// An amount of money.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    /// How much.
    pub cents: i64,
    /// Of what.
    pub currency: Currency,
}

/// What money there is.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub enum Currency {
    /// Euros.
    Eur,
    /// Another one.
    Other(Str<'static>),
}

/// What one gets.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Which one.
    pub number: u32,
    /// What is on it.
    pub lines: List<'static, Str<'static>>,
}

/// A number that has no half.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub struct Odd {
    /// Which one.
    pub number: u32,
}

/// How a call fails.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// It does not.
    Not,
    /// By a fault.
    Fault {
        /// Its text.
        text: Str<'static>,
    },
    /// By a panic.
    Panic(Str<'static>),
}
