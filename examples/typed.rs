//! A host that calls a module through a typed interface, which gains a method while the host runs. Run it with
//!
//! ```text
//! cargo run --example typed
//! ```
//!
//! It has cargo build the module `shop` twice: as it was, and as it has grown by a method. The host itself was compiled with the
//! interface as it was; it goes on calling the version that has grown, without a pause. A part of the host that knows the new method
//! gets a handle as soon as there is a version that has it; from then on the old version is refused, before anything of it runs.

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
// `grown` is for the part of this host that knows the new method. In a project of your own that is simply the next version of
// the crate, and another program.
use shop_interface::{Cents, Pricing, grown};

/// How long customers ask between two things that happen.
const A_WHILE: Duration = Duration::from_millis(200);

/// The longest wait for the end of everything.
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
    // Checked now, and against every version that will be loaded. Clone, Send, Sync.
    let pricing = runtime.interface::<Pricing>("shop")?;
    for article in &pricing.enter()?.articles()? {
        println!("  {:14} {}", article.sku, money(article.price));
    }
    match runtime.interface::<grown::Pricing>("shop") {
        Err(error) => println!("the new method is not there yet: {error}"),
        Ok(_) => return Err("a method was found that nobody has written".into()),
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
    println!("{} quotes meanwhile, and none failed", quotes.into_inner());

    drop(pricing);
    runtime.shutdown(DEADLINE)?;
    Ok(())
}

/// What happens while customers ask.
fn release(
    runtime: &Runtime,
    pricing: &InterfaceHandle<Pricing>,
    [first, second]: [&std::path::PathBuf; 2],
) -> Result<(), Box<dyn Error>> {
    thread::sleep(A_WHILE);
    let loaded = runtime.load(second)?;
    println!("shop {} is current, published in {:?} µs", loaded.version, loaded.took_us.publish.unwrap_or(0));

    let version = pricing.enter()?;
    let price = version.quote("anvil".into(), 10)?.ok_or("there are anvils")?;
    println!("the host as it was compiled calls {}: ten anvils cost {}", version.version(), money(price));
    drop(version);

    let grown = runtime.interface::<grown::Pricing>("shop")?;
    println!("the new method says that ten are cheaper by {} %", grown.enter()?.discount_percent(10)?);

    runtime.purge("shop", DEADLINE)?;
    match runtime.load(first) {
        Err(error) => println!("the version without it is refused now: {error}"),
        Ok(_) => return Err("a version was loaded that lacks a method which is called".into()),
    }
    thread::sleep(A_WHILE);
    Ok(())
}

/// Asks without a pause. The first quote that fails ends it.
fn ask_until(
    stop: &AtomicBool,
    pricing: &InterfaceHandle<Pricing>,
    quotes: &AtomicU64,
) -> Result<(), segue::CallError> {
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        // A guard stays in the version that it entered; here it is left again at the end of the line.
        pricing.enter()?.quote("rocket skates".into(), 2)?;
        asked += 1;
    }
    quotes.fetch_add(asked, Ordering::Relaxed);
    Ok(())
}

fn money(Cents(cents): Cents) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
