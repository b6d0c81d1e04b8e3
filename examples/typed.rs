//! A typed interface that gains a method while its host runs. Run it with
//!
//! ```text
//! cargo run --example typed
//! ```
//!
//! It builds two versions of the module `shop`. The second one has one more method. Most of the host was
//! compiled with the first version of the interface, and keeps calling while the module is replaced. One part
//! of the host knows the new method, and gets a handle to it once a version with the method is current. From
//! then on the runtime refuses to load the first version, before any of its code runs.

#![forbid(unsafe_code)]

mod modules;

use std::{
    error::Error,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use segue::{InterfaceHandle, Runtime};
// `second` is the second version of the interface. In a real project it is the next version of the crate, in
// another program.
use shop_interface::{Cents, Pricing, second};

/// How long the customers ask between two changes.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest wait for a version to be unloaded.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let first = modules::build("shop", "1.0.0", &[])?;
    let second = modules::build("shop", "1.1.0", &["shop/discounts"])?;
    let state = tempfile::tempdir()?;
    let runtime = Runtime::builder().state_dir(state.path()).build()?;

    runtime.load(&first)?;
    // Checked now, and again by each load. The handle is Clone, Send and Sync.
    let pricing = runtime.interface::<Pricing>("shop")?;
    for article in &pricing.enter()?.articles()? {
        println!("  {:14} {}", article.sku, money(article.price));
    }
    match runtime.interface::<second::Pricing>("shop") {
        Err(error) => println!("no version has the new method yet: {error}"),
        Ok(_) => return Err("the first version has no method `discount_percent`".into()),
    }

    let (stop, quotes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let customers: Vec<_> = (0..2).map(|_| scope.spawn(|| ask_until(&stop, &pricing, &quotes))).collect();
        let released = release(&runtime, &pricing, [&first, &second]);
        stop.store(true, Ordering::Relaxed);
        for customer in customers {
            customer.join().map_err(|_| "a customer panicked")??;
        }
        released
    })?;
    println!("{} quotes meanwhile, none failed", quotes.into_inner());

    drop(pricing);
    runtime.shutdown(DEADLINE)?;
    Ok(())
}

/// Releases the second version while the customers ask.
fn release(
    runtime: &Runtime,
    pricing: &InterfaceHandle<Pricing>,
    [first, second]: [&std::path::PathBuf; 2],
) -> Result<(), Box<dyn Error>> {
    thread::sleep(PAUSE);
    let loaded = runtime.load(second)?;
    println!("shop {} is current, published in {:?} µs", loaded.version, loaded.took_us.publish.unwrap_or(0));

    let version = pricing.enter()?;
    let price = version.quote("anvil".into(), 10)?.ok_or("the shop has no anvils")?;
    println!("through the first interface, {} says: ten anvils cost {}", version.version(), money(price));
    drop(version);

    let discounts = runtime.interface::<second::Pricing>("shop")?;
    println!("through the second interface: ten are {} % cheaper", discounts.enter()?.discount_percent(10)?);

    runtime.purge("shop", DEADLINE)?;
    match runtime.load(first) {
        Err(error) => println!("the first version is refused now: {error}"),
        Ok(_) => return Err("the first version was loaded, although a handle needs the new method".into()),
    }
    thread::sleep(PAUSE);
    Ok(())
}

/// Asks for quotes in a loop. It ends with the first quote that fails.
fn ask_until(
    stop: &AtomicBool,
    pricing: &InterfaceHandle<Pricing>,
    quotes: &AtomicU64,
) -> Result<(), segue::CallError> {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        // The guard leaves the version at the end of this statement.
        pricing.enter()?.quote("rocket skates".into(), 2)?;
        count += 1;
    }
    quotes.fetch_add(count, Ordering::Relaxed);
    Ok(())
}

fn money(Cents(cents): Cents) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
