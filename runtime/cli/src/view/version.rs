//! Versions: their slots, states, names and digests.

use segue::{Digest, ModuleStatus, VersionId, VersionState, VersionStatus};

use crate::text::clean;

/// How much of a digest is shown: its prefix and enough to distinguish files.
const DIGEST_CHARS: usize = "sha256:".len() + 12;

/// The versions of a module, each with its slot.
pub(crate) fn by_slot(module: &ModuleStatus) -> impl Iterator<Item = (&'static str, &VersionStatus)> {
    let current = module.current.iter().map(|version| ("current", version));
    let old = module.old.iter().map(|version| ("old", version));
    let quarantined = module.quarantined.iter().map(|version| ("quarantined", version));
    current.chain(old).chain(quarantined)
}

pub(crate) fn state_name(state: VersionState) -> &'static str {
    match state {
        VersionState::Trial => "trial",
        VersionState::Confirmed => "confirmed",
        VersionState::Draining => "draining",
        VersionState::Warm => "warm",
        VersionState::Pinned => "pinned",
        _ => "other",
    }
}

/// `1.1.0+g2`
pub(crate) fn name(version: &str, generation: u64) -> String {
    format!("{}+g{generation}", clean(version))
}

/// `1.1.0+g2`
pub(crate) fn id(id: &VersionId) -> String {
    name(&id.version, id.generation)
}

/// The first digits of a digest.
pub(crate) fn short_digest(digest: &Digest) -> String {
    digest.to_string().chars().take(DIGEST_CHARS).collect()
}
