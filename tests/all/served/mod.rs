//! What the command and the socket do to a service, and what is so after it was killed.

mod delete;
mod once;
mod sets;
mod sticky;
mod story;
mod trials;

use std::os::unix::fs::MetadataExt;

use segue_tests::{Service, fixture, http};

fn path(package: &str, version: &str) -> String {
    fixture(package, version).to_str().unwrap().to_owned()
}

/// The user that runs the tests, and so is the one that asks.
fn uid(service: &Service) -> u32 {
    service.home.path().metadata().unwrap().uid()
}

/// What is answered to clients: status and text.
fn served(service: &Service, target: &str) -> (u16, String) {
    let response = http::get(service.address, target);
    (response.status, response.text().to_owned())
}
