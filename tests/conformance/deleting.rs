//! Modules without a current version.

use std::thread;

use segue::{Code, Event};
use segue_tests::{V1, V2, until};

use crate::house::{House, LONG, code, get, text, told};

#[test]
fn k_delete() {
    let house = House::new();
    let loaded = house.load("hooks", V1).unwrap();
    let hooks = house.module("hooks");
    let session = hooks.enter_owned().unwrap();
    let deleted = house.runtime.delete("hooks").unwrap();
    assert_eq!((deleted.deleted, deleted.old.unwrap().generation), (true, loaded.generation));
    // New calls are told so, and the one that is inside goes on.
    assert!(text(hooks.call(&get("/"))).unwrap_err().contains("no current version"));
    assert!(hooks.enter_owned().is_err());
    assert_eq!(text(session.call(&get("/"))), told(V1));
    assert!(!house.runtime.delete("hooks").unwrap().deleted, "there is no current version to delete");
    // With another one current, it is refused while old is there: in Erlang it is false.
    assert_eq!(code(house.load("hooks", V2)), Code::NotPurged);
    drop(session);
    house.old_is_gone("hooks");
    assert_eq!((house.runtime.images_mapped(), house.logged("drop")), (0, 1));
    house.load("hooks", V2).unwrap();
    let session = hooks.enter_owned().unwrap();
    house.load("hooks", V1).unwrap();
    assert_eq!(code(house.runtime.delete("hooks")), Code::NotPurged);
    assert_eq!(text(hooks.call(&get("/"))), told(V1), "and nothing has changed");
    drop(session);
    let deletes = house.events().iter().filter(|event| matches!(event, Event::Deleted { .. })).count();
    assert_eq!(deletes, 1, "what changed nothing is not told");
}

#[test]
fn r_instructions() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    thread::scope(|scope| {
        let straggler = scope.spawn(|| house.ask("hooks", "/stay?file=never&looks=1"));
        until("it is inside", || house.inside("hooks") == 1);
        // remove, with a soft purge: it runs on, and is told as not purged.
        assert!(house.runtime.delete("hooks").unwrap().deleted);
        let report = house.runtime.soft_purge("hooks").unwrap();
        assert_eq!((report.purged, report.lingering), (false, 1));
        // The same again with the next one: there are old processes.
        assert_eq!(code(house.load("hooks", V2)), Code::NotPurged);
        assert!(!straggler.is_finished());
        // With a purge: they end, and it goes on with the new one.
        let purged = house.runtime.purge("hooks", LONG).unwrap();
        assert!(purged.purged, "{purged:?}");
        assert_eq!(straggler.join().unwrap(), told(V1));
    });
    house.load("hooks", V2).unwrap();
    assert_eq!(house.ask("hooks", "/"), told(V2));
}

#[test]
fn r_otp_2760() {
    let house = House::new();
    for module in ["hooks", "hooks-a"] {
        house.load(module, V1).unwrap();
    }
    house.runtime.delete("hooks-a").unwrap();
    house.old_is_gone("hooks-a");
    assert_eq!(house.runtime.images_mapped(), 1, "it has left, and the other one has not");
    assert_eq!((house.ask("hooks", "/"), house.logged("drop hooks-a ")), (told(V1), 1));
    // A restart does not bring it back.
    let house = house.restarted();
    assert_eq!(house.ask("hooks", "/"), told(V1));
    assert!(house.ask("hooks-a", "/").is_err());
}

#[test]
fn r_otp_9417() {
    let house = House::new();
    house.load("hooks", V1).unwrap();
    house.runtime.delete("hooks").unwrap();
    house.old_is_gone("hooks");
    for _ in 0..2 {
        let again = house.runtime.delete("hooks").unwrap();
        assert_eq!((again.deleted, again.old), (false, None));
    }
    // A name that never was a module's is another thing: it may be misspelt.
    assert_eq!(code(house.runtime.delete("hoks")), Code::NotFound);
}
