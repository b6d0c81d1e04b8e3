//! Lists: borrowed for a call, or in memory of the host.

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

/// A list that may cross between host and modules: borrowed from whoever calls (`List<'_, T>`, as an argument), or in memory
/// of the host (`List<'static, T>`, as an answer), which outlives every module.
///
/// It derefs to a slice. A borrowed one is made of a slice at no cost; one of its own is made of a `Vec`, an array or an
/// iterator, whose elements are moved into memory of the host.
///
/// ```
/// use segue_interface::List;
///
/// let mine = [1, 2, 3];
/// let borrowed = List::from(&mine[..]);
/// let owned: List<'static, i32> = borrowed.iter().map(|n| n * 2).collect();
/// assert_eq!(*owned, [2, 4, 6]);
/// ```
#[repr(C)]
pub struct List<'a, T> {
    first: NonNull<T>,
    len: usize,
    /// Where the elements are to be given back to; none where they are borrowed, or take no memory.
    heap: Option<&'static Heap>,
    elements: PhantomData<(&'a T, T)>,
}

/// Any bytes. See [`List`].
pub type Bytes<'a> = List<'a, u8>;

// SAFETY: it is a `Vec<T>` or a `&[T]`; the host's heap may be used from any thread.
unsafe impl<T: Send + Sync> Send for List<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for List<'_, T> {}

// === impl List ===

impl<'a, T> List<'a, T> {
    /// An empty list, which takes no memory.
    pub const fn new() -> Self {
        List { first: NonNull::dangling(), len: 0, heap: None, elements: PhantomData }
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `first` and `len` are those of a slice that lives for 'a, or of a place that this value owns.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }

    /// Whether the elements are in memory that outlives this image.
    pub(crate) fn is_hosts(&self) -> bool {
        self.len == 0 || mem::size_of::<T>() == 0 || self.heap.is_some_and(|mine| ptr::eq(mine, heap()))
    }

    pub(crate) fn is_borrowed(&self) -> bool {
        self.heap.is_none()
    }

    /// The same list, for as long as it likes. For one that [`is_hosts`](List::is_hosts).
    pub(crate) fn into_static(self) -> List<'static, T> {
        debug_assert!(self.is_hosts());
        let this = ManuallyDrop::new(self);
        List { first: this.first, len: this.len, heap: this.heap, elements: PhantomData }
    }

    /// Takes the elements out of a list that owns them.
    pub(crate) fn into_vec(self) -> Vec<T> {
        debug_assert!(!self.is_borrowed());
        let this = ManuallyDrop::new(self);
        let mut elements = Vec::with_capacity(this.len);
        // SAFETY: the list owns `len` elements there, and does not drop them: that is up to the vector now, which has room.
        unsafe {
            ptr::copy_nonoverlapping(this.first.as_ptr(), elements.as_mut_ptr(), this.len);
            elements.set_len(this.len);
        }
        this.release();
        elements
    }

    /// Gives the place back, whose elements are gone.
    fn release(&self) {
        if let Some(heap) = self.heap {
            let size = self.len * mem::size_of::<T>();
            // SAFETY: `from` allocated it there, with this size and alignment, and both callers are done with the list.
            unsafe { (heap.release)(self.first.as_ptr().cast(), size, mem::align_of::<T>()) };
        }
    }
}

impl<T> Drop for List<'_, T> {
    fn drop(&mut self) {
        if self.heap.is_some() {
            // SAFETY: the list owns its elements, and is not used again.
            unsafe { ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len).drop_in_place() };
            self.release();
        }
    }
}

/// Moves the elements into memory of the host.
impl<T> From<Vec<T>> for List<'_, T> {
    fn from(elements: Vec<T>) -> Self {
        let (len, size) = (elements.len(), mem::size_of_val(&*elements));
        if size == 0 {
            // Elements without a size need no place; they are kept as a number, and never dropped.
            mem::forget(elements);
            return List { first: NonNull::dangling(), len, heap: None, elements: PhantomData };
        }
        let heap = heap();
        // SAFETY: the size is not 0.
        let place = unsafe { (heap.allocate)(size, mem::align_of::<T>()) }.cast::<T>();
        let mut elements = elements;
        // SAFETY: the place is new and has room for `len` elements; the vector forgets them, so each has one owner.
        unsafe {
            ptr::copy_nonoverlapping(elements.as_ptr(), place, len);
            elements.set_len(0);
        }
        let first = NonNull::new(place).expect("`allocate` does not answer null");
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

/// A copy in memory of the host, also of a list that is borrowed: so it may be kept.
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
