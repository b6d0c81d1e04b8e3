//! The typed interface of the module `shop`, for hosts and for other modules.
//!
//! This crate has two versions of the interface, because an example and some tests load both. The feature
//! `discounts` selects the second one. In a real project there is one version: you add the method after the
//! others, and that is all.

pub mod first;
pub mod second;

#[cfg(not(feature = "discounts"))]
pub use first::*;
#[cfg(feature = "discounts")]
pub use second::*;

use segue::Str;

/// An amount of money.
#[segue::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cents(pub i64);

/// An article of the shop.
#[segue::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// Its name in orders.
    pub sku: Str<'static>,
    /// The price of one.
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
