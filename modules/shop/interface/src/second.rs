//! The second version of the interface: one more method, after the others.

use segue::{Fault, List, Str};

use crate::{Article, Cents, Line};

/// The prices of the shop.
#[segue::interface]
pub trait Pricing {
    /// The price of `quantity` of an article. `None` if there is no such article, or the amount is too large.
    fn quote(&self, sku: Str<'_>, quantity: u32) -> Option<Cents>;
    /// All articles.
    fn articles(&self) -> List<'static, Article>;
    /// The price of an order. It fails if an article is unknown, or the amount is too large.
    fn total(&self, order: List<'_, Line>) -> Result<Cents, Fault>;
    /// The discount for this quantity, in percent.
    fn discount_percent(&self, quantity: u32) -> u8;
}
