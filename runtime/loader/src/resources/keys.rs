//! Counts the pthread keys in use. A process can have 1024.

/// How many keys must be free to map a file. A module uses one for `std`, and some for its libraries. `std`
/// aborts the process if no key is free.
const RESERVE: usize = 64;

/// The number of pthread keys in use in this process, by anything.
///
/// libc has no function for this. But libc refuses to set a value for a key that does not exist, and setting
/// the current value again changes nothing. If the value is not null, the key exists. So only null is ever
/// set, and a key that is created or deleted meanwhile does no harm.
pub fn keys_in_use() -> usize {
    (0..limit()).filter(|key| exists(*key as libc::pthread_key_t)).count()
}

/// Whether fewer keys are free than a module may need. libc uses the lowest key first, so this searches from
/// the end.
pub(crate) fn are_scarce() -> bool {
    let free = (0..limit()).rev().filter(|key| !exists(*key as libc::pthread_key_t));
    free.take(RESERVE).count() < RESERVE
}

/// The limit of keys.
pub(crate) fn limit() -> usize {
    // SAFETY: it only returns a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_THREAD_KEYS_MAX) }).unwrap_or(1024)
}

fn exists(key: libc::pthread_key_t) -> bool {
    // SAFETY: the value of any key may be read. It is null for a key that does not exist. Setting null again
    // changes nothing, and is an error for a key that does not exist.
    unsafe {
        !libc::pthread_getspecific(key).is_null() || libc::pthread_setspecific(key, std::ptr::null()) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_counted_until_it_is_deleted() {
        // Other tests may create keys meanwhile, but not so many.
        const MANY: usize = 200;
        let before = keys_in_use();
        let mut keys = [0; MANY];
        // SAFETY: each key is writable.
        keys.iter_mut().for_each(|key| assert_eq!(unsafe { libc::pthread_key_create(key, None) }, 0));
        // SAFETY: nothing follows the value, because the key has no destructor.
        unsafe { libc::pthread_setspecific(keys[0], std::ptr::dangling()) };
        let with = keys_in_use();
        assert!(with.abs_diff(before + MANY) < 20, "{before} before, {with} after creating {MANY}");
        // SAFETY: the value was set above, and stays.
        assert!(!unsafe { libc::pthread_getspecific(keys[0]) }.is_null());
        // SAFETY: this test created the keys, and deletes each once.
        keys.iter().for_each(|key| assert_eq!(unsafe { libc::pthread_key_delete(*key) }, 0));
        assert!(keys_in_use().abs_diff(before) < 20);
    }
}
