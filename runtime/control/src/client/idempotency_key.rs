//! Generates idempotency keys: a command that is sent twice with the same key runs once.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    process,
    time::SystemTime,
};

/// A key that no other command has, from this process or any other.
pub(super) fn new() -> String {
    // The system seeds each `RandomState` randomly. The process id and the time keep keys distinct on a
    // system without randomness.
    let half = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(process::id());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        hasher.write_u128(now.as_nanos());
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn keys_are_distinct() {
        let keys: HashSet<String> = (0..1000).map(|_| super::new()).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.iter().all(|key| key.len() == 32));
    }
}
