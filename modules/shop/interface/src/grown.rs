//! The interface as it has grown: by a method behind the last one.

use segue::{Fault, List, Str};

use crate::{Article, Cents, Line};

/// Tells what things cost.
#[segue::interface]
pub trait Pricing {
    /// What so many of an article cost; none where there is no such article.
    fn quote(&self, sku: Str<'_>, quantity: u32) -> Option<Cents>;
    /// Everything that can be bought.
    fn articles(&self) -> List<'static, Article>;
    /// What an order costs. It fails where an article of it is not known.
    fn total(&self, order: List<'_, Line>) -> Result<Cents, Fault>;
    /// By how many percent an order of so many is cheaper.
    fn discount_percent(&self, quantity: u32) -> u8;
}
