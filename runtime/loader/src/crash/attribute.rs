//! Attributes a crash to an image, by the address of the instruction or by the return addresses on the stack.

use crate::crash::{
    entry::Entry,
    memory::{follows_call, is_mapped, read_memory},
    report_lock::Workspace,
    reports::AttributedBy,
    table::Table,
    unmapped::UNMAPPED,
};

/// How much of a stack is searched, in bytes. A caller further out is too far from the crash to be blamed.
const STACK_BYTES_MAX: u64 = 64 << 10;
/// The smallest page size, in bytes.
const PAGE_BYTES: u64 = 4096;

/// How a crash was attributed to an image.
#[derive(Clone, Copy)]
pub(super) struct Attribution {
    pub(super) by: AttributedBy,
    /// The address in the file; `None` if the image was not mapped yet.
    pub(super) offset: Option<u64>,
}

/// The state of the thread when the signal arrived.
#[derive(Clone, Copy)]
pub(super) struct FaultSite {
    /// The address of the instruction.
    pub(super) pc: u64,
    /// The stack pointer.
    pub(super) sp: u64,
    /// The address that the instruction could not access; `None` if that was not the cause.
    pub(super) address: Option<u64>,
}

/// Finds the image whose code this thread runs, and copies its entry to the workspace. Async-signal-safe.
pub(super) fn attribute(
    table: &Table,
    workspace: &mut Workspace,
    at: FaultSite,
    tid: i32,
) -> Option<Attribution> {
    let Workspace { entry, stack, .. } = workspace;
    let FaultSite { pc, sp, address } = at;
    // First, because an image that follows a dangling pointer is not the image that left the pointer behind.
    for suspect in [Some(pc), address].into_iter().flatten() {
        if !is_mapped(suspect) && UNMAPPED.find(suspect, entry) {
            return Some(Attribution {
                by: AttributedBy::Left,
                offset: Some(suspect.wrapping_sub(entry.base())),
            });
        }
    }
    if table.find(pc, entry) {
        return Some(Attribution { by: AttributedBy::Address, offset: Some(pc.wrapping_sub(entry.base())) });
    }
    // Before the stack search: while constructors run, the table does not have the addresses of the image.
    if table.find_opened_by(tid, entry) {
        return Some(Attribution { by: AttributedBy::Opening, offset: None });
    }
    let address = innermost_caller(table, stack, entry, sp)?;
    Some(Attribution { by: AttributedBy::Stack, offset: Some(address.wrapping_sub(entry.base())) })
}

/// The first word on the stack that is a return address in an image's code.
fn innermost_caller(table: &Table, words: &mut [u64], entry: &mut Entry, sp: u64) -> Option<u64> {
    let text = table.text();
    if text.is_empty() {
        return None;
    }
    let mut at = sp.next_multiple_of(8);
    let end = at.checked_add(STACK_BYTES_MAX)?;
    while at < end {
        let read = read_memory(at, words);
        if read == 0 {
            // The page is unreadable, like the guard page of a stack that has overflowed.
            at = (at + 1).next_multiple_of(PAGE_BYTES);
            continue;
        }
        for word in words.iter().take(read) {
            if text.contains(word) && table.find_text(*word, entry) && follows_call(*word) {
                return Some(*word);
            }
        }
        at += 8 * read as u64;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::report_lock::STACK_WORDS;
    use crate::{crash::entry::WORDS, linker::linkmap::Addresses};

    /// Its own return address is on the stack above `here`.
    #[inline(never)]
    fn return_address_is_found(table: &'static Table) -> Option<u64> {
        let here = 0u64;
        let found = innermost_caller(
            table,
            &mut [0; STACK_WORDS],
            &mut Entry([0; WORDS]),
            (&raw const here).addr() as u64,
        );
        std::hint::black_box(&here);
        found
    }

    #[test]
    fn a_caller_in_an_image_is_found_on_the_stack() {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        assert_eq!(return_address_is_found(table), None);
        let start = (return_address_is_found as *const ()).addr();
        let mut row = table.insert(Entry([1; WORDS])).unwrap();
        // First this whole test program, then a part of it that is not on the stack.
        let all = start - (1 << 20)..start + (1 << 20);
        row.set_addresses(&Addresses { base: 0, span: all.clone(), text: all.clone() });
        let found = return_address_is_found(table).expect("a caller is on the stack");
        assert!(all.contains(&(found as usize)));
        row.set_addresses(&Addresses { base: 0, span: start..start + 1, text: start..start + 1 });
        assert_eq!(return_address_is_found(table), None, "the address of a function is not a return address");
    }
}
