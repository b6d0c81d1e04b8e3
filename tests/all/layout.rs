//! The layout check forgets each image it has seen: otherwise it would follow references into one that is
//! gone.

use segue::{Code, Error, Request};
use segue_tests::{Bench, V1, V2, fixture, in_child, until};

/// In a process of its own: done wrongly, this ends with SIGSEGV.
#[test]
fn images_with_other_prefix_sizes_come_and_go() {
    in_child("layout::images_with_other_prefix_sizes_come_and_go", || {
        let bench = Bench::new();
        for _ in 0..3 {
            for (longer, usual) in [(V1, V1), (V2, V2)] {
                bench.runtime.load(fixture("longer-root", longer)).unwrap();
                let other = bench.runtime.load(fixture("other-prefix", usual));
                assert!(matches!(&other, Err(error) if error.code() == Code::AbiMismatch), "{other:?}");
                bench.runtime.load(fixture("greeter", usual)).unwrap();
                let answer = bench.runtime.module("greeter").unwrap().call(&Request::get("/ada")).unwrap();
                assert!(answer.body.starts_with(b"Hello, ada!"));
                until("what is old has left", || bench.runtime.images_mapped() == 2);
            }
        }
        bench.runtime.shutdown(std::time::Duration::from_secs(30)).unwrap();
        assert_eq!(bench.runtime.images_mapped(), 0);
    });
}

#[test]
fn the_refusal_names_what_differs() {
    let bench = Bench::new();
    match bench.runtime.load(fixture("other-prefix", V1)) {
        Err(error @ Error::Map { .. }) => {
            let text = error.to_string();
            assert!(text.contains("different prefix Expected: 10 Found: 3"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.runtime.images_mapped(), 0);
    assert!(bench.staged().is_empty());
}
