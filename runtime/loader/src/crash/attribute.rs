//! Whose code is running: by the address of the instruction, or by what is on the stack.

use crate::crash::{
    entry::Entry,
    memory::{follows_call, is_mapped, read_memory},
    report_lock::Workspace,
    reports::AttributedBy,
    table::Table,
    unmapped::UNMAPPED,
};

/// How much of a stack is looked at, in bytes. What is further out than that has called too much to be blamed for it.
const STACK_BYTES_MAX: u64 = 64 << 10;
/// The smallest unit that memory is mapped in, in bytes.
const PAGE_BYTES: u64 = 4096;

/// Why it is the image that it is.
#[derive(Clone, Copy)]
pub(super) struct Attribution {
    pub(super) by: AttributedBy,
    /// The address in it, as the file counts; none where the image had no place yet.
    pub(super) offset: Option<u64>,
}

/// Where a thread was when the signal came.
#[derive(Clone, Copy)]
pub(super) struct FaultSite {
    /// The address of the instruction.
    pub(super) pc: u64,
    /// The stack's.
    pub(super) sp: u64,
    /// The address that the instruction was not to reach; none if it was not that.
    pub(super) address: Option<u64>,
}

/// Finds the image whose code this thread is in, and leaves what is known of it in the workspace. Safe in a signal handler.
pub(super) fn attribute(
    table: &Table,
    workspace: &mut Workspace,
    at: FaultSite,
    tid: i32,
) -> Option<Attribution> {
    let Workspace { entry, stack, .. } = workspace;
    let FaultSite { pc, sp, address } = at;
    // First: the image whose code follows a stale pointer is not the one that left it behind.
    for gone in [Some(pc), address].into_iter().flatten() {
        if !is_mapped(gone) && UNMAPPED.at(gone, entry) {
            return Some(Attribution {
                by: AttributedBy::Left,
                offset: Some(gone.wrapping_sub(entry.base())),
            });
        }
    }
    if table.at(pc, entry) {
        return Some(Attribution { by: AttributedBy::Address, offset: Some(pc.wrapping_sub(entry.base())) });
    }
    // Before the stack: its constructors are not in the table yet.
    if table.opened_by(tid, entry) {
        return Some(Attribution { by: AttributedBy::Opening, offset: None });
    }
    let address = innermost_caller(table, stack, entry, sp)?;
    Some(Attribution { by: AttributedBy::Stack, offset: Some(address.wrapping_sub(entry.base())) })
}

/// The first word of the stack that is an address behind a call in some image's code.
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
            // It is the page below the stack, where that has overflowed.
            at = (at + 1).next_multiple_of(PAGE_BYTES);
            continue;
        }
        for word in words.iter().take(read) {
            if text.contains(word) && table.at_text(*word, entry) && follows_call(*word) {
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
    use crate::{crash::entry::WORDS, linker::linkmap::Place};

    /// Its return address is on the stack above what it is given.
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
    fn a_caller_is_found_on_the_stack_where_it_is_in_the_table() {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        assert_eq!(return_address_is_found(table), None);
        let start = (return_address_is_found as *const ()).addr();
        let mut row = table.insert(Entry([1; WORDS])).unwrap();
        // This test program as a whole, and then a piece of it that is not on the stack.
        let all = start - (1 << 20)..start + (1 << 20);
        row.set_place(&Place { base: 0, span: all.clone(), text: all.clone() });
        let found = return_address_is_found(table).expect("a caller is on the stack");
        assert!(all.contains(&(found as usize)));
        row.set_place(&Place { base: 0, span: start..start + 1, text: start..start + 1 });
        assert_eq!(return_address_is_found(table), None, "the address of a function is no caller");
    }
}
