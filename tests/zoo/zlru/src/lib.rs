//! A module around `lru, in a static`.

use lru::LruCache;
use segue_sdk::prelude::*;
use std::{
    num::NonZeroUsize,
    sync::{LazyLock, Mutex},
};

static CACHE: LazyLock<Mutex<LruCache<u32, String>>> =
    LazyLock::new(|| Mutex::new(LruCache::new(NonZeroUsize::new(8).expect("not zero"))));

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        if !works()? {
            return Err(Fault::new("wrong result"));
        }
        reply.text("ok zlru\n");
        Ok(())
    }
}

fn works() -> Result<bool, Fault> {
    let mut cache = CACHE.lock().map_err(|_| Fault::new("poisoned"))?;
    for n in 0..20 {
        cache.put(n, n.to_string());
    }
    Ok(cache.len() == 8 && cache.get(&19).is_some_and(|text| text == "19") && cache.get(&0).is_none())
}

export_module!(Row);
