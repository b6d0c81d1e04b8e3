//! The path of the control socket, from the environment or by default.

use std::{ffi::OsString, path::PathBuf};

/// The socket's name in the directory for runtime files.
const SOCKET: &str = "segue.sock";

/// The control socket that `SEGUE_CONTROL` names.
pub(crate) fn from_environment() -> Option<PathBuf> {
    not_empty(std::env::var_os("SEGUE_CONTROL"))
}

/// The control socket if nothing names one.
pub(crate) fn default() -> PathBuf {
    in_directory(std::env::var_os("XDG_RUNTIME_DIR"))
}

fn in_directory(directory: Option<OsString>) -> PathBuf {
    not_empty(directory).unwrap_or_else(|| PathBuf::from(".")).join(SOCKET)
}

/// An empty variable counts as unset.
fn not_empty(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_in_the_users_runtime_directory_or_here() {
        assert_eq!(in_directory(Some("/run/user/7".into())), PathBuf::from("/run/user/7/segue.sock"));
        assert_eq!(in_directory(Some("".into())), PathBuf::from("./segue.sock"));
        assert_eq!(in_directory(None), PathBuf::from("./segue.sock"));
    }
}
