//! Lists: borrowed for a call, or in host memory.

use std::{
    fmt,
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    ops::Deref,
    ptr::{self, NonNull},
    slice,
};

use segue_abi::Heap;

use crate::heap::heap;

/// A list that may cross between host and modules. As an argument (`List<'_, T>`) it is borrowed from the
/// caller. As a return value (`List<'static, T>`) it is in host memory, which outlives every module.
///
/// It derefs to a slice. The conversion from a slice borrows, at no cost. The conversion from a `Vec`, an
/// array or an iterator moves the elements into host memory.
///
/// ```
/// use segue_interface::List;
///
/// let array = [1, 2, 3];
/// let borrowed = List::from(&array[..]);
/// let owned: List<'static, i32> = borrowed.iter().map(|n| n * 2).collect();
/// assert_eq!(*owned, [2, 4, 6]);
/// ```
#[repr(C)]
pub struct List<'a, T> {
    first: NonNull<T>,
    len: usize,
    /// The heap that the elements are in. `None` if they are borrowed, or take no memory.
    heap: Option<&'static Heap>,
    elements: PhantomData<(&'a T, T)>,
}

/// Bytes. See [`List`].
pub type Bytes<'a> = List<'a, u8>;

// SAFETY: it is like a `Vec<T>` or a `&[T]`, and any thread may use the host's heap.
unsafe impl<T: Send + Sync> Send for List<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for List<'_, T> {}

// === impl List ===

impl<'a, T> List<'a, T> {
    /// Creates an empty list. It takes no memory.
    pub const fn new() -> Self {
        List { first: NonNull::dangling(), len: 0, heap: None, elements: PhantomData }
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `first` and `len` describe a slice that lives for 'a, or a block that this value owns.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }

    /// Whether the elements are in memory that outlives this image.
    pub(crate) fn is_in_host_memory(&self) -> bool {
        self.len == 0 || mem::size_of::<T>() == 0 || self.heap.is_some_and(|of_list| ptr::eq(of_list, heap()))
    }

    pub(crate) fn is_borrowed(&self) -> bool {
        self.heap.is_none()
    }

    /// The same list, without the borrow. Only for a list that
    /// [`is_in_host_memory`](List::is_in_host_memory).
    pub(crate) fn into_static(self) -> List<'static, T> {
        debug_assert!(self.is_in_host_memory());
        let this = ManuallyDrop::new(self);
        List { first: this.first, len: this.len, heap: this.heap, elements: PhantomData }
    }

    /// Moves the elements out of a list that owns them.
    pub(crate) fn into_vec(self) -> Vec<T> {
        debug_assert!(!self.is_borrowed());
        let this = ManuallyDrop::new(self);
        let mut elements = Vec::with_capacity(this.len);
        // SAFETY: the list owns `len` elements and does not drop them, so the vector, which has room, owns
        // them now.
        unsafe {
            ptr::copy_nonoverlapping(this.first.as_ptr(), elements.as_mut_ptr(), this.len);
            elements.set_len(this.len);
        }
        this.release();
        elements
    }

    /// Frees the block. Its elements must have been moved or dropped.
    fn release(&self) {
        if let Some(heap) = self.heap {
            let size = self.len * mem::size_of::<T>();
            // SAFETY: `from` allocated the block there, with this size and alignment, and neither caller uses
            // it afterwards.
            unsafe { (heap.release)(self.first.as_ptr().cast(), size, mem::align_of::<T>()) };
        }
    }
}

impl<T> Drop for List<'_, T> {
    fn drop(&mut self) {
        if self.heap.is_some() {
            // SAFETY: the list owns its elements, and nothing uses them afterwards.
            unsafe { ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len).drop_in_place() };
            self.release();
        }
    }
}

/// Moves the elements into host memory.
impl<T> From<Vec<T>> for List<'_, T> {
    fn from(elements: Vec<T>) -> Self {
        let (len, size) = (elements.len(), mem::size_of_val(&*elements));
        if size == 0 {
            // Elements of size zero need no block. Only their number is kept, and they are never dropped.
            mem::forget(elements);
            return List { first: NonNull::dangling(), len, heap: None, elements: PhantomData };
        }
        let heap = heap();
        // SAFETY: the size is not 0.
        let block = unsafe { (heap.allocate)(size, mem::align_of::<T>()) }.cast::<T>();
        let mut elements = elements;
        // SAFETY: the block is new and has room for `len` elements. The vector forgets them, so each has one
        // owner.
        unsafe {
            ptr::copy_nonoverlapping(elements.as_ptr(), block, len);
            elements.set_len(0);
        }
        let first = NonNull::new(block).expect("`allocate` does not return null");
        List { first, len, heap: Some(heap), elements: PhantomData }
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(elements: &'a [T]) -> Self {
        List { first: NonNull::from(elements).cast(), len: elements.len(), heap: None, elements: PhantomData }
    }
}

impl<'a, T> From<&'a Vec<T>> for List<'a, T> {
    fn from(elements: &'a Vec<T>) -> Self {
        List::from(elements.as_slice())
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(elements: &'a [T; N]) -> Self {
        List::from(elements.as_slice())
    }
}

impl<T, const N: usize> From<[T; N]> for List<'_, T> {
    fn from(elements: [T; N]) -> Self {
        List::from(Vec::from(elements))
    }
}

impl<T> FromIterator<T> for List<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        List::from(Vec::from_iter(elements))
    }
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<'l, T> IntoIterator for &'l List<'_, T> {
    type Item = &'l T;
    type IntoIter = slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Copies into host memory, also from a borrowed list, so the copy may be kept.
impl<T: Clone> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        self.iter().cloned().collect()
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        List::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Eq> Eq for List<'_, T> {}

impl<T: std::hash::Hash> std::hash::Hash for List<'_, T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}
