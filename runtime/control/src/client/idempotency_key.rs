//! The key of a command: sent twice under one, it is done once.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    process,
    time::SystemTime,
};

/// A key that no other command has, of this process or of any other.
pub(super) fn new() -> String {
    // Each of these is seeded at random by the system; the process and the time are there for a system that has no randomness.
    let part = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(process::id());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        hasher.write_u128(now.as_nanos());
        hasher.finish()
    };
    format!("{:016x}{:016x}", part(), part())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_two_are_the_same() {
        let keys: HashSet<String> = (0..1000).map(|_| super::new()).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.iter().all(|key| key.len() == 32));
    }
}
