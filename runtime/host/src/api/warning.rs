//! Warnings of a load.

use segue_loader::{StaleLibrary, StaleReason};
use serde::{Deserialize, Serialize};

/// A problem that does not prevent the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl From<&StaleLibrary> for Warning {
    fn from(library: &StaleLibrary) -> Self {
        let hint = match library.reason {
            StaleReason::Gone => "restore the library: a restart needs it",
            _ => "give the new library another soname and relink the module, or restart the runtime",
        };
        let hint = match library.reason {
            // The message already names the file.
            StaleReason::Elsewhere(_) => hint.to_owned(),
            _ => format!("{hint}; the library is {}", library.path.display()),
        };
        Warning { message: library.to_string(), hint }
    }
}
