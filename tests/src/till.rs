//! The interface of the fixture `till`. The fixture includes this file, so each side compiles its own copy.

use segue::{Bytes, Fault, List, Str};

/// Each kind of argument and answer that an interface can have.
#[segue::interface]
pub trait Till {
    /// The text, repeated.
    fn echo(&self, text: Str<'_>, times: u32) -> Str<'static>;
    /// The sum; `None` for an empty list.
    fn sum(&self, amounts: List<'_, Amount>) -> Option<Amount>;
    /// A string literal, which is in the memory of the module's image.
    fn literal(&self) -> Str<'static>;
    /// This many receipts.
    fn receipts(&self, count: u32) -> List<'static, Receipt>;
    /// The lines of a receipt, joined.
    fn bytes(&self, of: &Receipt) -> Bytes<'static>;
    /// Half of a number; the error is part of the interface.
    fn half(&self, number: u32) -> Result<u32, Odd>;
    /// The next number.
    fn next(&self, number: Option<u32>) -> Option<u32>;
    /// Fails in this way.
    fn fail(&self, how: How) -> Result<u8, Fault>;
    /// Stays in the module for this long.
    fn stay(&self, ms: u64);
}

/// An amount of money.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    /// The amount in cents.
    pub cents: i64,
    /// The currency.
    pub currency: Currency,
}

/// A currency.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub enum Currency {
    /// Euros.
    Eur,
    /// Any other.
    Other(Str<'static>),
}

/// A receipt.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its number.
    pub number: u32,
    /// Its lines.
    pub lines: List<'static, Str<'static>>,
}

/// A number that has no half.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub struct Odd {
    /// The number.
    pub number: u32,
}

/// How a call fails.
#[segue::data]
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// Not at all.
    Not,
    /// With a fault.
    Fault {
        /// Its text.
        text: Str<'static>,
    },
    /// With a panic.
    Panic(Str<'static>),
}
