//! Modules that are not to be replaced.

use segue::{Code, Error, Event};
use segue_tests::{V1, V2};

use crate::house::{House, code, told};

#[test]
fn k_sticky_dir() {
    let house = House::new();
    assert_eq!(code(house.runtime.stick("hooks")), Code::NotFound, "a first load is never refused");
    house.load("hooks", V1).unwrap();
    assert!(house.runtime.stick("hooks").unwrap().changed);
    assert!(!house.runtime.stick("hooks").unwrap().changed, "it was already");
    assert_eq!(code(house.load("hooks", V2)), Code::Sticky);
    assert_eq!(code(house.follow("hooks", V2)), Code::Sticky, "whatever the policy");
    assert_eq!(code(house.runtime.delete("hooks")), Code::Sticky);
    assert!(house.runtime.status("hooks").unwrap().sticky);
    assert_eq!((house.ask("hooks", "/"), house.logged("load")), (told(V1), 1));
    // Over a restart.
    let house = house.restarted();
    assert!(house.runtime.status("hooks").unwrap().sticky);
    assert_eq!(code(house.load("hooks", V2)), Code::Sticky);
    // The control.
    assert!(house.runtime.unstick("hooks").unwrap().changed);
    house.load("hooks", V2).unwrap();
    assert_eq!(house.ask("hooks", "/"), told(V2));
    let stuck = |event: &&Event| matches!(event, Event::MadeSticky { .. } | Event::StickyCleared { .. });
    assert_eq!(house.events().iter().filter(stuck).count(), 1, "in this runtime");
}

#[test]
fn m_sticky_dir() {
    const THREE: [&str; 3] = ["hooks-a", "hooks-b", "hooks-c"];
    let house = House::new();
    house.load_set(&THREE, V1).unwrap();
    for module in ["hooks-a", "hooks-c"] {
        house.runtime.stick(module).unwrap();
    }
    let error = house.load_set(&THREE, V2).unwrap_err();
    let Error::Set { errors } = &error else { panic!("{error}") };
    let named: Vec<_> = errors.iter().map(|error| (error.module(), error.code())).collect();
    assert_eq!(
        named,
        [(Some("hooks-a"), Code::Sticky), (Some("hooks-c"), Code::Sticky)],
        "all of them, and only them"
    );
    assert_eq!(THREE.map(|module| house.ask(module, "/")), THREE.map(|_| told(V1)));
    assert_eq!(house.logged("load"), THREE.len(), "nothing of the second version ran");
    for module in ["hooks-a", "hooks-c"] {
        house.runtime.unstick(module).unwrap();
    }
    house.load_set(&THREE, V2).unwrap();
    assert_eq!(THREE.map(|module| house.ask(module, "/")), THREE.map(|_| told(V2)));
}
