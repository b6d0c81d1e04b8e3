//! A typed interface: what it looks like to one side, and the table of functions behind it.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr},
    type_layout::TypeLayout,
};

/// One type that a method takes or answers, as one side knows it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct TypeRef {
    /// The type as the interface's source has it: `Option<Cents>`.
    pub name: RStr<'static>,
    /// How the types of the interface's crate in it are defined, separated by `; `. Empty where there are none.
    pub definition: RStr<'static>,
    /// A hash of name and definition, through all that they name.
    pub fingerprint: u64,
    /// The layout, for the check. Of a type of the interface's crate it is a stand-in, built from its fields.
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
    /// What it takes, `self` aside.
    pub arguments: RSlice<'static, ArgumentRef>,
    /// What it answers.
    pub answer: TypeRef,
}

/// An interface as one side knows it. The other side may know more methods behind these, and nothing else may differ.
///
/// It lies in the image of the side that it describes, and is not to be used after that image has gone.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct InterfaceRef {
    /// Its name.
    pub name: RStr<'static>,
    /// Its methods, in the order of the source.
    pub methods: RSlice<'static, MethodRef>,
}

/// What the pointer of an [`ExportRef`] points at: a `#[repr(C)]` struct with one function pointer a method, in the order of
/// the methods. Who calls knows the type from the interface's crate, after the description was checked.
#[repr(C)]
#[derive(StableAbi)]
pub struct MethodTable {
    _private: [u8; 0],
}

/// An interface that a module exports.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct ExportRef {
    /// What it looks like.
    pub interface: InterfaceRef,
    /// Its functions. Each takes the module's state first.
    pub table: *const MethodTable,
}

/// Memory of the host, for what outlives a call: texts and lists that a method answers.
///
/// # Safety
///
/// `release` is called once for what `allocate` answered, with the same size and alignment. Both may be called from any
/// thread, and for as long as the process runs: they are the host's.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Heap {
    /// A place of that size, which is not 0, and alignment. It ends the process where there is no memory.
    pub allocate: unsafe extern "C" fn(size: usize, align: usize) -> *mut u8,
    /// Gives a place back.
    pub release: unsafe extern "C" fn(place: *mut u8, size: usize, align: usize),
}
