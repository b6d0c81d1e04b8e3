//! pthread keys, of which a process has 1024: how many are taken.

/// How many keys must be left for a file to be mapped. A module takes one for `std`, and some for libraries in it; a process
/// in which none is left is aborted by `std`.
const RESERVE: usize = 64;

/// The keys that are taken in this process, by whomever.
///
/// libc has no such question. But it refuses to set a value for a key that does not exist, and setting the value that the
/// calling thread has changes nothing. Where that is not null, the key exists; so only null is ever set, and a key that comes
/// or goes meanwhile does no harm.
pub fn keys_in_use() -> usize {
    (0..limit()).filter(|key| exists(*key as libc::pthread_key_t)).count()
}

/// Whether fewer keys are left than a module may need. libc gives the lowest first, so the answer is found at the end.
pub(crate) fn are_scarce() -> bool {
    let free = (0..limit()).rev().filter(|key| !exists(*key as libc::pthread_key_t));
    free.take(RESERVE).count() < RESERVE
}

/// How many keys there can be.
pub(crate) fn limit() -> usize {
    // SAFETY: it only asks for a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_THREAD_KEYS_MAX) }).unwrap_or(1024)
}

fn exists(key: libc::pthread_key_t) -> bool {
    // SAFETY: reading the value of any key is allowed; of one that does not exist it is null. Setting null where it is null
    // changes nothing, and for a key that does not exist it is an error.
    unsafe {
        !libc::pthread_getspecific(key).is_null() || libc::pthread_setspecific(key, std::ptr::null()) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_counted_from_when_it_is_made_to_when_it_is_given_back() {
        // Other tests may take keys meanwhile, but not so many.
        const MANY: usize = 200;
        let before = keys_in_use();
        let mut keys = [0; MANY];
        // SAFETY: each key can be written.
        keys.iter_mut().for_each(|key| assert_eq!(unsafe { libc::pthread_key_create(key, None) }, 0));
        // SAFETY: the value is never followed, since the key has no destructor.
        unsafe { libc::pthread_setspecific(keys[0], std::ptr::dangling()) };
        let with = keys_in_use();
        assert!(with.abs_diff(before + MANY) < 20, "{before} and {MANY} are {with}");
        // SAFETY: the value was set above, and stays.
        assert!(!unsafe { libc::pthread_getspecific(keys[0]) }.is_null());
        // SAFETY: they are ours, and deleted once.
        keys.iter().for_each(|key| assert_eq!(unsafe { libc::pthread_key_delete(*key) }, 0));
        assert!(keys_in_use().abs_diff(before) < 20);
    }
}
