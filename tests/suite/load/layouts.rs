//! The layout check keeps no reference to an image. One that is kept would point into an image that is
//! unloaded.

use segue::{Code, Error, Request};
use segue_tests::{TestHost, V1, V2, in_child, until};

/// In a child process, because a dangling reference ends it with SIGSEGV.
#[test]
fn images_with_other_prefix_sizes_are_loaded_and_unloaded() {
    in_child(|| {
        let host = TestHost::new();
        for _ in 0..3 {
            for (longer, usual) in [(V1, V1), (V2, V2)] {
                host.load("longer-root", longer).unwrap();
                let other = host.load("other-prefix", usual);
                assert!(matches!(&other, Err(error) if error.code() == Code::AbiMismatch), "{other:?}");
                host.load("greeter", usual).unwrap();
                let answer = host.module("greeter").call(&Request::get("/ada")).unwrap();
                assert!(answer.body.starts_with(b"Hello, ada!"));
                until("the old versions are unloaded", || host.runtime.images_mapped() == 2);
            }
        }
        host.runtime.shutdown(std::time::Duration::from_secs(30)).unwrap();
        assert_eq!(host.runtime.images_mapped(), 0);
    });
}

#[test]
fn the_refusal_names_the_difference() {
    let host = TestHost::new();
    match host.load("other-prefix", V1) {
        Err(error @ Error::Map { .. }) => {
            let text = error.to_string();
            assert!(text.contains("different prefix Expected: 10 Found: 3"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(host.runtime.images_mapped(), 0);
    assert_eq!(host.staged(), 0);
}
