//! The typed interface of the module `shop`: what it can be asked, by a host or by other modules.
//!
//! It is defined twice, as it was and as it has grown, for an example and tests that load both; the feature `discounts` says
//! which of the two is the interface. In a project of your own the method would be added behind the others, and that is all.

pub mod first;
pub mod grown;

#[cfg(not(feature = "discounts"))]
pub use first::*;
#[cfg(feature = "discounts")]
pub use grown::*;

use segue::Str;

/// An amount of money.
#[segue::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cents(pub i64);

/// Something that can be bought.
#[segue::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// What it is ordered by.
    pub sku: Str<'static>,
    /// What one costs.
    pub price: Cents,
}

/// One line of an order.
#[segue::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The article.
    pub sku: Str<'static>,
    /// How many.
    pub quantity: u32,
}
