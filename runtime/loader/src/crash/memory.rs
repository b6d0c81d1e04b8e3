//! Reads memory of this process that may not be mapped.

use libc::{c_void, iovec};

/// The length of the longest call instruction, in bytes.
const CALL_BYTES_MAX: u64 = 7;

/// Whether this address is readable.
pub(super) fn is_mapped(address: u64) -> bool {
    read_memory(address & !7, &mut [0]) == 1
}

/// Whether the instruction before this address is a call. A stack also has addresses of functions, which
/// follow no call.
pub(crate) fn follows_call(address: u64) -> bool {
    let mut before = [0u64; 1];
    if read_memory(address.wrapping_sub(8), &mut before) != 1 {
        return false;
    }
    is_call(before[0].to_le_bytes())
}

/// Whether these bytes may end with a call.
#[cfg(target_arch = "x86_64")]
fn is_call(bytes: [u8; 8]) -> bool {
    let [.., direct, _, _, _, _] = bytes;
    // FF /2 with its operand: a register, or an address of up to five bytes.
    let indirect = |len: usize| {
        let at = bytes.len() - len;
        bytes[at] == 0xff && bytes[at + 1] >> 3 & 7 == 2
    };
    const { assert!(CALL_BYTES_MAX as usize <= 8) };
    direct == 0xe8 || [2, 3, 4, 6, CALL_BYTES_MAX as usize].into_iter().any(indirect)
}

/// Whether these bytes end with a call.
#[cfg(target_arch = "aarch64")]
fn is_call(bytes: [u8; 8]) -> bool {
    let [.., a, b, c, d] = bytes;
    let instruction = u32::from_le_bytes([a, b, c, d]);
    // BL, and BLR.
    instruction & 0xfc00_0000 == 0x9400_0000 || instruction & 0xffff_fc1f == 0xd63f_0000
}

/// Reads words of this process's memory, up to the first unreadable one, without a fault. Returns their
/// number. It is 0 if the system forbids this.
pub(crate) fn read_memory(at: u64, words: &mut [u64]) -> usize {
    let len = size_of_val(words);
    let local = iovec { iov_base: words.as_mut_ptr().cast(), iov_len: len };
    let remote = iovec { iov_base: std::ptr::without_provenance_mut::<c_void>(at as usize), iov_len: len };
    // SAFETY: `local` is writable. The system reads `remote`, and returns an error if it is unreadable.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    usize::try_from(read).map_or(0, |bytes| bytes / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_up_to_its_end() {
        let words = [1u64, 2, 3];
        let mut read = [0; 3];
        assert_eq!(read_memory(words.as_ptr().addr() as u64, &mut read), 3);
        assert_eq!(read, words);
        assert_eq!(read_memory(8, &mut read), 0);
        assert_eq!(read_memory(u64::MAX - 7, &mut read), 0);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_are_distinguished_from_other_instructions() {
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
