//! What is noticed at a load and is no reason to refuse it.

use segue_loader::{Stale, StaleLibrary};
use serde::{Deserialize, Serialize};

/// Something that was noticed at a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl From<&StaleLibrary> for Warning {
    fn from(library: &StaleLibrary) -> Self {
        let hint = match library.why {
            Stale::Gone => "put the library back: a restart needs it",
            _ => "give the new library another soname and link the module to that, or restart the runtime",
        };
        let hint = match library.why {
            // The message names the file.
            Stale::Elsewhere(_) => hint.to_owned(),
            _ => format!("{hint}; it is {}", library.path.display()),
        };
        Warning { message: library.to_string(), hint }
    }
}
