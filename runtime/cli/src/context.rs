//! The settings that all commands share.

use std::{ffi::OsString, future::Future, io::IsTerminal, path::PathBuf};

use segue_control::Client;

use crate::{Error, Format};

/// The settings that all commands share: the output format, and where the runtime is.
#[derive(Clone, Debug)]
pub struct Context {
    /// The output format.
    pub format: Format,
    /// The path from `--control`.
    pub control: Option<PathBuf>,
}

/// The name of the socket in its default directory.
const SOCKET_NAME: &str = "segue.sock";

// === impl Context ===

impl Context {
    /// The path of the control socket: from `--control`, else from the environment, else the default.
    pub fn control_path(&self) -> PathBuf {
        self.control.clone().or_else(named_control_path).unwrap_or_else(default_control_path)
    }

    /// A client of the runtime.
    pub fn client(&self) -> Client {
        Client::new(self.control_path())
    }

    /// Whether to show progress: a person reads the output, and standard error is a terminal.
    pub fn shows_progress(&self) -> bool {
        self.format == Format::Human && std::io::stderr().is_terminal()
    }

    /// Runs a command that talks to the runtime, on an async runtime of its own.
    ///
    /// # Errors
    ///
    /// The errors of the command, and [`Error::AsyncRuntime`] if the async runtime cannot be started.
    pub fn wait<T>(&self, command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let executor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::AsyncRuntime { source })?;
        executor.block_on(command)
    }
}

/// The path in `SEGUE_CONTROL`.
pub(crate) fn named_control_path() -> Option<PathBuf> {
    not_empty(std::env::var_os("SEGUE_CONTROL"))
}

/// The path of the control socket if neither `--control` nor `SEGUE_CONTROL` is set.
pub(crate) fn default_control_path() -> PathBuf {
    control_path_in(std::env::var_os("XDG_RUNTIME_DIR"))
}

fn control_path_in(runtime_dir: Option<OsString>) -> PathBuf {
    not_empty(runtime_dir).unwrap_or_else(|| PathBuf::from(".")).join(SOCKET_NAME)
}

/// Treats an empty variable as unset.
fn not_empty(value: Option<OsString>) -> Option<PathBuf> {
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_socket_is_in_the_users_runtime_directory_or_the_current_one() {
        assert_eq!(control_path_in(Some("/run/user/7".into())), PathBuf::from("/run/user/7/segue.sock"));
        assert_eq!(control_path_in(Some("".into())), PathBuf::from("./segue.sock"));
        assert_eq!(control_path_in(None), PathBuf::from("./segue.sock"));
    }

    #[test]
    fn the_option_overrides_the_environment() {
        let context = Context { format: Format::Human, control: Some("mine.sock".into()) };
        assert_eq!(context.control_path(), PathBuf::from("mine.sock"));
    }
}
