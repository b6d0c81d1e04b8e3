//! A module with a typed interface: prices and orders.
//!
//! It also answers requests: `GET /<sku>` returns the price in cents, and `?quantity=N` the price of N of
//! them.

#![forbid(unsafe_code)]

use segue_sdk::prelude::*;
use shop_interface::{Article, Cents, Line, Pricing, ProvidePricing};

/// The articles, with their prices in cents.
const ARTICLES: [(&str, i64); 3] = [("anvil", 12_999), ("rocket skates", 4_999), ("bird seed", 349)];

struct Shop;

impl Module for Shop {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Shop)
    }

    fn handle(&self, request: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        let sku = request.path().trim_start_matches('/');
        let quantity = request.param("quantity").map_or(Ok(1), |text| text.parse())?;
        match self.quote(sku.into(), quantity) {
            Some(Cents(cents)) => reply.text(&format!("{cents}\n")),
            None => reply.status(404).text("no such article\n"),
        };
        Ok(())
    }
}

impl ProvidePricing for Shop {
    fn quote(&self, sku: Str<'_>, quantity: u32) -> Option<Cents> {
        let (_, price) = ARTICLES.iter().find(|(name, _)| sku == *name)?;
        let cents = price.checked_mul(i64::from(quantity))?;
        #[cfg(feature = "discounts")]
        let cents = cents - cents * i64::from(self.discount_percent(quantity)) / 100;
        Some(Cents(cents))
    }

    fn articles(&self) -> List<'static, Article> {
        ARTICLES.iter().map(|(sku, price)| Article { sku: (*sku).into(), price: Cents(*price) }).collect()
    }

    fn total(&self, order: List<'_, Line>) -> Result<Cents, Fault> {
        let mut sum = 0_i64;
        for Line { sku, quantity } in &order {
            let Some(Cents(cents)) = self.quote(sku.as_str().into(), *quantity) else {
                return Err(Fault::new(format!(
                    "no price for {quantity} of {sku:?}: unknown article, or amount too large"
                )));
            };
            sum = sum.checked_add(cents).ok_or_else(|| Fault::new("the total of the order is too large"))?;
        }
        Ok(Cents(sum))
    }

    #[cfg(feature = "discounts")]
    fn discount_percent(&self, quantity: u32) -> u8 {
        match quantity {
            0..10 => 0,
            10..100 => 5,
            _ => 10,
        }
    }
}

export_module!(Shop, interfaces = [Pricing]);
