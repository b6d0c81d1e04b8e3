//! Whose code is running: by the address of the instruction, or by what is on the stack.

use libc::{c_void, iovec};

use super::{AttributedBy, departed::DEPARTED, entry::Entry, table::Table, turn::Workspace};

/// How much of a stack is looked at, in bytes. What is further out than that has called too much to be blamed for it.
const STACK_BYTES_MAX: u64 = 64 << 10;

/// How much of a stack is read at a time, in words.
pub(super) const WORDS_AT_A_TIME: usize = 64;

/// The smallest unit that memory is mapped in, in bytes.
const PAGE_BYTES: u64 = 4096;

/// The longest instruction of a call, in bytes.
const CALL_BYTES_MAX: u64 = 7;

/// Why it is the image that it is.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) by: AttributedBy,
    /// The address in it, as the file counts; none where the image had no place yet.
    pub(super) offset: Option<u64>,
}

/// Where a thread was when the signal came.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// The address of the instruction.
    pub(super) pc: u64,
    /// The stack's.
    pub(super) sp: u64,
    /// The address that the instruction was not to reach; none if it was not that.
    pub(super) address: Option<u64>,
}

/// Finds the image whose code this thread is in, and leaves what is known of it in the workspace. Safe in a signal handler.
pub(super) fn find(table: &Table, workspace: &mut Workspace, at: At, tid: i32) -> Option<Found> {
    let Workspace { entry, stack, .. } = workspace;
    let At { pc, sp, address } = at;
    // First: the image whose code follows a stale pointer is not the one that left it behind.
    for gone in [Some(pc), address].into_iter().flatten() {
        if !is_mapped(gone) && DEPARTED.at(gone, entry) {
            return Some(Found { by: AttributedBy::Left, offset: Some(gone.wrapping_sub(entry.base())) });
        }
    }
    if table.at(pc, entry) {
        return Some(Found { by: AttributedBy::Address, offset: Some(pc.wrapping_sub(entry.base())) });
    }
    // Before the stack: its constructors are not in the table yet.
    if table.opened_by(tid, entry) {
        return Some(Found { by: AttributedBy::Opening, offset: None });
    }
    let address = innermost(table, stack, entry, sp)?;
    Some(Found { by: AttributedBy::Stack, offset: Some(address.wrapping_sub(entry.base())) })
}

/// The first word of the stack that is an address behind a call in some image's code.
fn innermost(table: &Table, words: &mut [u64], entry: &mut Entry, sp: u64) -> Option<u64> {
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

/// Whether this address can be read.
fn is_mapped(address: u64) -> bool {
    read_memory(address & !7, &mut [0]) == 1
}

/// Whether the instruction before this address is a call. The address of a function, of which many lie about, follows none.
pub(crate) fn follows_call(address: u64) -> bool {
    let mut before = [0u64; 1];
    if read_memory(address.wrapping_sub(8), &mut before) != 1 {
        return false;
    }
    is_call(before[0].to_le_bytes())
}

/// Whether a call may end these bytes.
#[cfg(target_arch = "x86_64")]
fn is_call(bytes: [u8; 8]) -> bool {
    let [.., direct, _, _, _, _] = bytes;
    // FF /2, with the forms of an operand: its last bytes are a register or an address of up to five bytes.
    let indirect = |len: usize| {
        let at = bytes.len() - len;
        bytes[at] == 0xff && bytes[at + 1] >> 3 & 7 == 2
    };
    const { assert!(CALL_BYTES_MAX as usize <= 8) };
    direct == 0xe8 || [2, 3, 4, 6, CALL_BYTES_MAX as usize].into_iter().any(indirect)
}

/// Whether a call ends these bytes.
#[cfg(target_arch = "aarch64")]
fn is_call(bytes: [u8; 8]) -> bool {
    let [.., a, b, c, d] = bytes;
    let instruction = u32::from_le_bytes([a, b, c, d]);
    // BL, and BLR.
    instruction & 0xfc00_0000 == 0x9400_0000 || instruction & 0xffff_fc1f == 0xd63f_0000
}

/// Reads words of this process's memory, as many as can be read, without faulting where that is none. How many they are; none
/// also where the system does not allow it.
pub(crate) fn read_memory(at: u64, words: &mut [u64]) -> usize {
    let len = size_of_val(words);
    let local = iovec { iov_base: words.as_mut_ptr().cast(), iov_len: len };
    let remote = iovec { iov_base: std::ptr::without_provenance_mut::<c_void>(at as usize), iov_len: len };
    // SAFETY: `local` can be written; what `remote` says is looked at by the system, which answers with an error where it
    // cannot be read.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    usize::try_from(read).map_or(0, |bytes| bytes / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crash::entry::WORDS, linkmap::Place};

    #[test]
    fn memory_is_read_up_to_where_it_ends() {
        let words = [1u64, 2, 3];
        let mut read = [0; 3];
        assert_eq!(read_memory(words.as_ptr().addr() as u64, &mut read), 3);
        assert_eq!(read, words);
        assert_eq!(read_memory(8, &mut read), 0);
        assert_eq!(read_memory(u64::MAX - 7, &mut read), 0);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_are_told_from_other_instructions() {
        let calls: [[u8; 8]; 4] = [
            [0x90, 0x90, 0x90, 0xe8, 1, 2, 3, 4],             // call rel32
            [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0], // call rax
            [0x90, 0x90, 0xff, 0x15, 1, 2, 3, 4],             // call [rip + …]
            [0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 0x18], // call [rax + 0x18]
        ];
        assert!(calls.into_iter().all(is_call));
        assert!(!is_call([0xcc; 8]) && !is_call([0x90; 8]) && !is_call([0; 8]));
    }

    /// Its return address is on the stack above what it is given.
    #[inline(never)]
    fn return_address_is_found(table: &'static Table) -> Option<u64> {
        let here = 0u64;
        let found = innermost(
            table,
            &mut [0; WORDS_AT_A_TIME],
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
        let mut row = table.enter(Entry([1; WORDS])).unwrap();
        // This test program as a whole, and then a piece of it that is not on the stack.
        let all = start - (1 << 20)..start + (1 << 20);
        row.place(&Place { base: 0, whole: all.clone(), text: all.clone() });
        let found = return_address_is_found(table).expect("a caller is on the stack");
        assert!(all.contains(&(found as usize)));
        row.place(&Place { base: 0, whole: start..start + 1, text: start..start + 1 });
        assert_eq!(return_address_is_found(table), None, "the address of a function is no caller");
    }
}
