//! A caller that enters through a projection.

use crate::support::{Image, cell, check, detects, publish, vacate};
use loom::thread;
use segue_core::View;
use segue_core::model::Mutation;
use std::sync::Arc;

/// A view whose value is the image itself.
struct WholeImage;

impl View<Image> for WholeImage {
    type Value<'a> = &'a Image;

    fn make<'a>(&self, image: &'a Image) -> Option<&'a Image> {
        Some(image)
    }

    fn shorten<'short, 'long: 'short>(image: &'short &'long Image) -> &'short &'short Image {
        image
    }
}

/// A caller through a projection, against a lane that is drained, reused for generation 3 and published
/// again.
fn projection_against_reuse() {
    let (cell, images) = cell(|| {});
    let projection = cell.projection(WholeImage);
    let caller = {
        let projection = Arc::clone(&projection);
        thread::spawn(move || {
            let guard = projection.enter().expect("an image is always current");
            assert_eq!(guard.get().call(), guard.occupant().generation);
        })
    };
    publish(&cell, &images[2]);
    let reused = vacate(&cell);
    if reused {
        publish(&cell, &images[3]);
    }
    caller.join().unwrap();
    assert!(vacate(&cell) || !reused);
}

#[test]
fn a_projection_returns_the_value_of_the_image_entered() {
    check(projection_against_reuse);
}

#[test]
fn a_projection_without_the_recheck_is_detected() {
    detects(Mutation::SkipRecheck, projection_against_reuse);
}

#[test]
fn a_projection_with_a_relaxed_leave_is_detected() {
    detects(Mutation::RelaxLeave, projection_against_reuse);
}
