//! What all commands share.

use std::{ffi::OsString, future::Future, io::IsTerminal, path::PathBuf};

use segue_control::Client;

use crate::{Error, Format};

/// What all commands share: how to speak, and where the runtime is.
#[derive(Clone, Debug)]
pub struct Context {
    /// For a person or for a script.
    pub format: Format,
    /// What `--control` says.
    pub control: Option<PathBuf>,
}

/// The socket's name in a directory that has other files too.
const SOCKET: &str = "segue.sock";

// === impl Context ===

impl Context {
    /// The control socket that is named by `--control`, by the environment, or by nothing.
    pub fn control_path(&self) -> PathBuf {
        self.control.clone().or_else(named_control_path).unwrap_or_else(default_control_path)
    }

    /// A client of the runtime.
    pub fn client(&self) -> Client {
        Client::new(self.control_path())
    }

    /// Whether somebody watches who wants to see that something goes on.
    pub fn shows_progress(&self) -> bool {
        self.format == Format::Human && std::io::stderr().is_terminal()
    }

    /// Runs a command that waits for the runtime.
    ///
    /// # Errors
    ///
    /// Those of the command.
    pub fn wait<T>(&self, command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let executor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Reactor { source })?;
        executor.block_on(command)
    }
}

/// The control socket that `SEGUE_CONTROL` names.
pub(crate) fn named_control_path() -> Option<PathBuf> {
    not_empty(std::env::var_os("SEGUE_CONTROL"))
}

/// The control socket where nothing names one.
pub(crate) fn default_control_path() -> PathBuf {
    control_path_in(std::env::var_os("XDG_RUNTIME_DIR"))
}

fn control_path_in(runtime_dir: Option<OsString>) -> PathBuf {
    not_empty(runtime_dir).unwrap_or_else(|| PathBuf::from(".")).join(SOCKET)
}

/// A variable that is set to nothing says nothing.
fn not_empty(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_in_the_users_runtime_directory_or_here() {
        assert_eq!(control_path_in(Some("/run/user/7".into())), PathBuf::from("/run/user/7/segue.sock"));
        assert_eq!(control_path_in(Some("".into())), PathBuf::from("./segue.sock"));
        assert_eq!(control_path_in(None), PathBuf::from("./segue.sock"));
    }

    #[test]
    fn the_option_goes_before_all() {
        let context = Context { format: Format::Human, control: Some("mine.sock".into()) };
        assert_eq!(context.control_path(), PathBuf::from("mine.sock"));
    }
}
