//! The module that the command brings along, in two versions, so that it can show its work without a checkout.
//!
//! The build script builds them; they are for the machine that the command is for.

/// One version of a module, as the file that cargo made of it.
#[derive(Clone, Copy)]
pub struct EmbeddedModule {
    /// The name of the file: the same for all versions, so that one can be dropped over the other.
    pub file_name: &'static str,
    /// The version.
    pub version: &'static str,
    /// The bytes of the file.
    pub bytes: &'static [u8],
}

/// Names a version and takes its file from where the build script left it.
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

/// The sample module `greeter`, the earlier version first.
pub fn greeter() -> &'static [EmbeddedModule] {
    const GREETER: &[EmbeddedModule] = &[embedded!("1.0.0"), embedded!("1.1.0")];
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
    fn each_file_is_the_version_that_it_is_listed_as() {
        for module in greeter() {
            let told = format!("{{\"name\":\"greeter\",\"version\":\"{}\",", module.version);
            assert!(
                module.bytes.windows(told.len()).any(|window| window == told.as_bytes()),
                "{module:?} says of itself that it is another version"
            );
        }
        assert_ne!(greeter()[0].bytes, greeter()[1].bytes);
    }
}
