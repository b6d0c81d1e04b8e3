//! Two versions of the sample module `greeter`, built by the build script for the target of this program.

/// One version of a module, as the file that cargo built.
#[derive(Clone, Copy)]
pub struct EmbeddedModule {
    /// The name of the file. It is the same for all versions, so one version's file can replace another's.
    pub file_name: &'static str,
    /// The version.
    pub version: &'static str,
    /// The bytes of the file.
    pub bytes: &'static [u8],
}

/// Embeds the file that the build script wrote for a version.
macro_rules! embedded {
    ($version:literal) => {
        EmbeddedModule {
            file_name: env!("SEGUE_EMBEDDED_MODULE"),
            version: $version,
            bytes: include_bytes!(concat!(
                env!("OUT_DIR"),
                "/",
                $version,
                "/",
                env!("SEGUE_EMBEDDED_MODULE")
            )),
        }
    };
}

/// The versions of `greeter`, the first one first.
pub fn greeter() -> &'static [EmbeddedModule; 2] {
    const GREETER: &[EmbeddedModule; 2] = &[embedded!("1.0.0"), embedded!("1.1.0")];
    GREETER
}

// === impl EmbeddedModule ===

impl std::fmt::Debug for EmbeddedModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedModule")
            .field("file_name", &self.file_name)
            .field("version", &self.version)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_listed_version() {
        for module in greeter() {
            let metadata = format!("{{\"name\":\"greeter\",\"version\":\"{}\",", module.version);
            assert!(
                module.bytes.windows(metadata.len()).any(|window| window == metadata.as_bytes()),
                "the metadata of {module:?} has another version"
            );
        }
        assert_ne!(greeter()[0].bytes, greeter()[1].bytes);
    }
}
