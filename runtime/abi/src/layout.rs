//! Types that stand in, in the layout check, for types of an interface's crate and of `segue-interface`.
//!
//! They are never made. The check compares how types are built, so for each type there is one that is built of the same parts
//! in the same order.

use std::ffi::c_void;

use abi_stable::StableAbi;

/// A struct, or a variant of an enum: its fields, one after the other. An enum is its variants, one after the other. The last
/// tail is `()`.
#[repr(C)]
#[derive(StableAbi)]
pub struct Fields<Head, Tail> {
    head: Head,
    tail: Tail,
}

/// A list.
#[repr(C)]
#[derive(StableAbi)]
pub struct ListLayout<E> {
    first: *const E,
    len: usize,
    heap: *const c_void,
}

/// Text.
#[repr(C)]
#[derive(StableAbi)]
pub struct TextLayout {
    bytes: ListLayout<u8>,
}

/// Something borrowed.
#[repr(C)]
#[derive(StableAbi)]
pub struct RefLayout<E> {
    place: *const E,
}
