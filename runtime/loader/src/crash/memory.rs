//! Memory of this process that may not be there.

use libc::{c_void, iovec};

/// The longest instruction of a call, in bytes.
const CALL_BYTES_MAX: u64 = 7;

/// Whether this address can be read.
pub(super) fn is_mapped(address: u64) -> bool {
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
}
