//! What the host hands this image: the table of its functions, and the heap.
//! A line belongs here if it keeps such a thing for the other rooms.
//! It must never use another room but `sys`.

pub(crate) mod attached;
pub(crate) mod heap;
