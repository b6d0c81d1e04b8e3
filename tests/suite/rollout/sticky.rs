//! Sticky modules: they are not replaced or deleted until the flag is cleared.

use segue::{Code, Error, Event};
use segue_tests::{TestHost, V1, V2, hooks_answer, refusal};

#[test]
fn otp_11_a_sticky_module_is_neither_replaced_nor_deleted() {
    let host = TestHost::new();
    assert_eq!(refusal(host.runtime.stick("hooks")), Code::NotFound, "a first load is never refused");
    host.load("hooks", V1).unwrap();
    assert!(host.runtime.stick("hooks").unwrap().changed);
    assert!(!host.runtime.stick("hooks").unwrap().changed, "it was sticky already");
    assert_eq!(refusal(host.load("hooks", V2)), Code::Sticky);
    assert_eq!(refusal(host.load_after_old("hooks", V2)), Code::Sticky, "the policy does not matter");
    assert_eq!(refusal(host.runtime.delete("hooks")), Code::Sticky);
    assert!(host.runtime.status("hooks").unwrap().sticky);
    assert_eq!((host.ask("hooks", "/"), host.logged("load")), (hooks_answer(V1), 1));
    // After a restart.
    let host = host.restarted();
    assert!(host.runtime.status("hooks").unwrap().sticky);
    assert_eq!(refusal(host.load("hooks", V2)), Code::Sticky);
    // Control.
    assert!(host.runtime.unstick("hooks").unwrap().changed);
    host.load("hooks", V2).unwrap();
    assert_eq!(host.ask("hooks", "/"), hooks_answer(V2));
    let of_stickiness =
        |event: &&Event| matches!(event, Event::MadeSticky { .. } | Event::StickyCleared { .. });
    assert_eq!(host.events().iter().filter(of_stickiness).count(), 1, "events of this runtime");
}

#[test]
fn otp_11_a_set_is_refused_with_all_of_its_sticky_members() {
    const THREE: [&str; 3] = ["hooks-a", "hooks-b", "hooks-c"];
    let host = TestHost::new();
    host.load_set(&THREE, V1).unwrap();
    for module in ["hooks-a", "hooks-c"] {
        host.runtime.stick(module).unwrap();
    }
    let error = host.load_set(&THREE, V2).unwrap_err();
    let Error::Set { errors } = &error else { panic!("{error}") };
    let named: Vec<_> = errors.iter().map(|error| (error.module(), error.code())).collect();
    assert_eq!(
        named,
        [(Some("hooks-a"), Code::Sticky), (Some("hooks-c"), Code::Sticky)],
        "all sticky members, and no other"
    );
    assert_eq!(THREE.map(|module| host.ask(module, "/")), THREE.map(|_| hooks_answer(V1)));
    assert_eq!(host.logged("load"), THREE.len(), "no code of the second version ran");
    for module in ["hooks-a", "hooks-c"] {
        host.runtime.unstick(module).unwrap();
    }
    host.load_set(&THREE, V2).unwrap();
    assert_eq!(THREE.map(|module| host.ask(module, "/")), THREE.map(|_| hooks_answer(V2)));
}
