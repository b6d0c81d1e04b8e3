//! A typed interface: its description, and its table of functions.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr},
    type_layout::TypeLayout,
};

/// The type of an argument or a return value, as one side knows it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct TypeRef {
    /// The type, as in the interface's source: `Option<Cents>`.
    pub name: RStr<'static>,
    /// The definitions of the types in it that belong to the interface's crate, separated by `; `. May be
    /// empty.
    pub definition: RStr<'static>,
    /// A hash of the name, the definition, and all types that they name.
    pub fingerprint: u64,
    /// The layout, for the layout check. For a type of the interface's crate it is that of a stand-in with
    /// the same fields.
    pub layout: &'static TypeLayout,
}

/// One argument of a method.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ArgumentRef {
    /// Its name.
    pub name: RStr<'static>,
    /// Its type.
    pub of: TypeRef,
}

/// One method of an interface.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct MethodRef {
    /// Its name.
    pub name: RStr<'static>,
    /// Its arguments, without `self`.
    pub arguments: RSlice<'static, ArgumentRef>,
    /// Its return type.
    pub answer: TypeRef,
}

/// An interface, as one side knows it. The other side may know further methods after these. Nothing else may
/// differ.
///
/// It is in the image of the side that it describes. Do not use it after that image has been unmapped.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct InterfaceRef {
    /// Its name.
    pub name: RStr<'static>,
    /// Its methods, in the order of the source.
    pub methods: RSlice<'static, MethodRef>,
}

/// The table of an [`ExportRef`]: a `#[repr(C)]` struct with one function pointer for each method, in the
/// order of the methods. The caller knows its type from the interface's crate. It checks the description
/// before it uses the table.
#[repr(C)]
#[derive(StableAbi)]
pub struct MethodTable {
    _private: [u8; 0],
}

/// An interface that a module exports.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct ExportRef {
    /// Its description.
    pub interface: InterfaceRef,
    /// Its functions. The first argument of each is the module's state.
    pub table: *const MethodTable,
}

/// Host memory, for values that outlive a call: the texts and lists that a method returns.
///
/// # Safety
///
/// Call `release` once for each block of `allocate`, with the same size and alignment. Both may be called
/// from any thread, as long as the process runs, because they are functions of the host.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Heap {
    /// Allocates a block. The size is not 0. If there is no memory, it ends the process.
    pub allocate: unsafe extern "C" fn(size: usize, align: usize) -> *mut u8,
    /// Frees a block.
    pub release: unsafe extern "C" fn(place: *mut u8, size: usize, align: usize),
}
