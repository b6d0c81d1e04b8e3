//! Typed interfaces: which values cross, how calls fail, and what is checked at a load.

use segue::{CallFailure, Code, Error, ErrorObject, Event, InterfaceHandle, List, Step, Str};
use segue_tests::{
    TestHost, V1, V2,
    till::{Amount, Currency, How, Odd, Receipt, Till},
    until,
};
use shop_interface::{Cents, Line, Pricing, second};

fn till() -> (TestHost, InterfaceHandle<Till>) {
    let host = TestHost::new();
    host.load("till", V1).unwrap();
    let till = host.runtime.interface::<Till>("till").unwrap();
    (host, till)
}

fn refused(result: Result<impl Sized, Error>) -> ErrorObject {
    ErrorObject::from(&result.err().expect("it is refused"))
}

#[test]
fn every_kind_of_value_crosses() {
    let (_host, till) = till();
    let till = till.enter().unwrap();
    assert_eq!(till.echo("ab".into(), 3).unwrap(), "ababab");
    let amounts = [
        Amount { cents: 5, currency: Currency::Eur },
        Amount { cents: 7, currency: Currency::Other("DKK".into()) },
    ];
    assert_eq!(till.sum(List::from(&amounts)), Ok(Some(Amount { cents: 12, currency: Currency::Eur })));
    let other = till.sum(List::from(&amounts[1..])).unwrap().unwrap();
    assert_eq!(other.currency, Currency::Other("DKK".into()));
    assert_eq!(till.sum(List::new()), Ok(None));
    assert_eq!(
        *till.bytes(&Receipt { number: 1, lines: List::from([Str::from("x"), Str::from("y")]) }).unwrap(),
        *b"xy"
    );
    assert_eq!(till.half(8), Ok(Ok(4)));
    assert_eq!(till.half(9), Ok(Err(Odd { number: 9 })));
    assert_eq!((till.next(Some(1)), till.next(None)), (Ok(Some(2)), Ok(None)));
}

#[test]
fn an_answer_outlives_its_version() {
    let (host, till) = till();
    let (literal, receipts) = {
        let till = till.enter().unwrap();
        assert_eq!(till.version().version, V1);
        (till.literal().unwrap(), till.receipts(100).unwrap())
    };
    host.load("till", V2).unwrap();
    host.wait_until_old_is_gone("till");
    assert_eq!(host.runtime.images_mapped(), 1);
    assert_eq!(literal, "a literal of the module");
    assert_eq!(receipts.len(), 100);
    assert_eq!(*receipts[99].lines, ["a line", "no. 100"]);
    let copy = receipts.clone();
    drop(receipts);
    assert_eq!(copy[0].number, 1);
    assert_eq!(till.enter().unwrap().version().version, V2);
}

#[test]
fn a_fault_or_a_panic_fails_its_call() {
    let (_host, till) = till();
    let inside = till.enter().unwrap();
    let failed = inside.fail(How::Fault { text: "no change".into() }).unwrap_err();
    assert!(
        matches!(failed.failure(), CallFailure::Fault { module, version, text }
            if module == "till" && version.version == V1 && text == "no change"),
        "{failed:?}"
    );
    let failed = inside.fail(How::Panic("no drawer".into())).unwrap_err();
    assert!(
        matches!(failed.failure(), CallFailure::Panicked { message, file, .. }
            if message == "no drawer" && file.ends_with("whole.rs")),
        "{failed:?}"
    );
    assert_eq!(inside.fail(How::Not), Ok(7), "the next call of the same guard succeeds");
}

/// The calling thread is not registered and lives on, so anything that a call left on it would be counted as
/// dropped.
#[test]
fn a_fault_and_a_panic_leave_nothing_behind() {
    let (host, till) = till();
    let fail = |times: u32| {
        let inside = till.enter().unwrap();
        for _ in 0..times {
            inside.fail(How::Fault { text: "no change".into() }).unwrap_err();
            inside.fail(How::Panic("no drawer".into())).unwrap_err();
        }
    };
    let live_bytes = || host.runtime.status("till").unwrap().current.unwrap().live_bytes.unwrap();
    // The first of each allocates what an image has once.
    fail(1);
    let before = live_bytes();
    fail(1_000);
    assert_eq!(live_bytes(), before, "live bytes of the module's heap");
    let failed = till.enter().unwrap().fail(How::Panic("no drawer".into())).unwrap_err();
    host.load("till", V2).unwrap();
    host.wait_until_old_is_gone("till");
    assert_eq!(host.runtime.images_mapped(), 1);
    let purged = host.runtime.events().recent(0).into_iter().find_map(|record| match record.event {
        Event::Purged { leaked_bytes, destructors_dropped, .. } => Some((leaked_bytes, destructors_dropped)),
        _ => None,
    });
    let (leaked_bytes, destructors_dropped) = purged.expect("the purge is recorded");
    assert_eq!(destructors_dropped, 0, "no thread-local of the module was left on this thread");
    assert!(leaked_bytes <= before, "{leaked_bytes} bytes leaked; {before} were live before");
    assert!(failed.to_string().contains("no drawer"), "the error belongs to the host: {failed}");
}

#[test]
fn a_guard_keeps_its_version() {
    let (host, till) = till();
    let inside = till.enter().unwrap();
    host.load("till", V2).unwrap();
    assert_eq!(inside.version().version, V1);
    assert_eq!(till.enter().unwrap().version().version, V2);
    assert_eq!(inside.next(Some(1)), Ok(Some(2)));
    let status = host.runtime.status("till").unwrap();
    assert_eq!(status.old.unwrap().inside, 1);
    drop(inside);
    host.wait_until_old_is_gone("till");
}

#[test]
fn an_interface_may_grow() {
    let host = TestHost::new();
    host.load("shop", V1).unwrap();
    let pricing = host.runtime.interface::<Pricing>("shop").unwrap();
    assert_eq!(pricing.enter().unwrap().quote("anvil".into(), 10), Ok(Some(Cents(129_990))));
    // A caller that is compiled with more methods than the module has does not get a handle.
    let error = refused(host.runtime.interface::<second::Pricing>("shop"));
    assert_eq!(error.code, Code::InterfaceMismatch);
    assert_eq!(error.message, "shop 1.0.0: interface Pricing: there is no method discount_percent");

    host.load("shop", V2).unwrap();
    let quote = pricing.enter().unwrap().quote("anvil".into(), 10);
    assert_eq!(quote, Ok(Some(Cents(123_491))), "the old handle calls the new version");
    let grown = host.runtime.interface::<second::Pricing>("shop").unwrap();
    assert_eq!(grown.enter().unwrap().discount_percent(10), Ok(5));
    let order = [Line { sku: "anvil".into(), quantity: 1 }, Line { sku: "a feather".into(), quantity: 1 }];
    let total = grown.enter().unwrap().total(List::from(&order));
    let error = total.unwrap_err();
    assert!(matches!(error.failure(), CallFailure::Fault { .. }), "{error:?}");
}

#[test]
fn a_method_with_a_handle_cannot_be_removed() {
    let host = TestHost::new();
    host.load("shop", V2).unwrap();
    let grown = host.runtime.interface::<second::Pricing>("shop").unwrap();
    let second = grown.clone();
    drop(grown);
    let error = refused(host.load("shop", V1));
    assert_eq!((error.code, error.step), (Code::InterfaceMismatch, Some(Step::Read)));
    assert_eq!(error.message, "shop 1.0.0: interface Pricing: there is no method discount_percent");
    assert_eq!(host.runtime.status("shop").unwrap().current.unwrap().version, V2, "nothing has changed");
    assert_eq!(second.enter().unwrap().discount_percent(100), Ok(10));
    drop(second);
    host.load("shop", V1).expect("no handle needs the method any more");
}

#[test]
fn each_incompatible_change_is_named() {
    let (host, till) = till();
    let expected = [
        (
            "changed_answer",
            "interface Till, method echo: callers expect the return type to be Str<'static>, but it is Bytes<'static>",
        ),
        (
            "changed_argument",
            "interface Till, method echo: callers expect argument 2 (times) to be u32, but it is u64",
        ),
        (
            "changed_data",
            "interface Till, method sum: callers expect argument 1 (amounts) to be \
             List<'_, Amount> (struct Amount { cents: i64, currency: Currency }; enum Currency { Eur, Other(Str<'static>) }), but it is \
             List<'_, Amount> (struct Amount { cents: i64, currency: Currency }; enum Currency { Eur, Usd })",
        ),
        ("fewer_arguments", "interface Till, method echo: callers pass 2 arguments, but it takes 1"),
        ("moved", "interface Till: method open is in the position of echo; keep the order of the methods"),
        ("removed", "interface Till: there is no method echo"),
        ("not_exported", "it does not export the interface Till"),
    ];
    for (form, message) in expected {
        let error = refused(host.load("till", form));
        assert_eq!((error.code, error.step), (Code::InterfaceMismatch, Some(Step::Read)), "{form}");
        assert_eq!(error.message, format!("till 2.0.0: {message}"), "{form}");
        assert_eq!(host.staged(), 1, "{form}: the file was not staged");
    }
    assert_eq!(till.enter().unwrap().next(Some(1)), Ok(Some(2)));
    // Control: without a handle, each form is loaded.
    drop(till);
    for (form, _) in expected {
        host.load("till", form).expect(form);
        host.wait_until_old_is_gone("till");
    }
}

/// The metadata is checked before any code of the file runs. The exports, which are what is called, are
/// checked after the file is mapped.
#[test]
fn a_file_that_lies_about_its_interface_is_refused_when_it_is_mapped() {
    let (host, till) = till();
    let error = refused(host.load("till", "lies"));
    assert_eq!((error.code, error.step), (Code::InterfaceMismatch, Some(Step::Map)));
    assert_eq!(
        error.message,
        "till 2.0.0: interface Till, method echo: callers expect the return type to be Str<'static>, but it is Bytes<'static>"
    );
    until("the refused file is unmapped", || host.runtime.images_mapped() == 1 && host.staged() == 1);
    assert_eq!(till.enter().unwrap().echo("ab".into(), 2).unwrap(), "abab", "nothing has changed");
    drop(till);
    // Without a handle it is loaded. A handle that is requested later is refused.
    host.load("till", "lies").unwrap();
    let error = refused(host.runtime.interface::<Till>("till"));
    assert_eq!((error.code, error.step), (Code::InterfaceMismatch, None));
}

#[test]
fn a_new_handle_is_checked_against_the_current_version() {
    let host = TestHost::new();
    host.load("till", "changed_answer").unwrap();
    let error = refused(host.runtime.interface::<Till>("till"));
    assert_eq!((error.code, error.step), (Code::InterfaceMismatch, None));
    assert!(host.runtime.status("till").unwrap().callers.is_empty(), "a refused handle is no caller");
    let error = refused(host.runtime.interface::<Till>("nobody"));
    assert_eq!(error.code, Code::NotFound);
}

#[test]
fn a_rollback_that_would_break_a_handle_is_refused() {
    let host = TestHost::new();
    host.load("shop", V1).unwrap();
    let first = host.module("shop");
    let inside = first.enter().unwrap();
    host.load("shop", V2).unwrap();
    let grown = host.runtime.interface::<second::Pricing>("shop").unwrap();
    let error = refused(host.runtime.rollback("shop"));
    assert_eq!((error.code, error.step), (Code::InterfaceMismatch, Some(Step::Rollback)));
    assert_eq!(grown.enter().unwrap().discount_percent(10), Ok(5));
    drop(grown);
    host.runtime.rollback("shop").expect("no handle needs the method any more");
    drop(inside);
}
