//! What the host gives this image: the table of its functions, and a heap.
//! Put a line here if it stores such a thing for the other rooms, or calls the host for several of them.
//! This room must never use another room, except `sys`.

pub(crate) mod attached;
pub(crate) mod heap;
