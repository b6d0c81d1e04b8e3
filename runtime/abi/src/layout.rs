//! Stand-ins for types of an interface's crate and of `segue-interface`, for the layout check.
//!
//! No value of them exists. The layout check compares the structure of types, so each type has a stand-in
//! with the same parts in the same order.

use std::ffi::c_void;

use abi_stable::StableAbi;

/// The stand-in of a struct or of an enum's variant is a chain of its fields. The stand-in of an enum is a
/// chain of its variants. A chain ends with `()`.
#[repr(C)]
#[derive(StableAbi)]
pub struct Fields<Head, Tail> {
    head: Head,
    tail: Tail,
}

/// Stands for a list.
#[repr(C)]
#[derive(StableAbi)]
pub struct ListLayout<E> {
    first: *const E,
    len: usize,
    heap: *const c_void,
}

/// Stands for text.
#[repr(C)]
#[derive(StableAbi)]
pub struct TextLayout {
    bytes: ListLayout<u8>,
}

/// Stands for a reference.
#[repr(C)]
#[derive(StableAbi)]
pub struct RefLayout<E> {
    place: *const E,
}
