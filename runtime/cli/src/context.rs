//! What all commands share: the output format, and the control socket.

use std::{future::Future, io::IsTerminal, path::PathBuf};

use segue_control::Client;

use crate::{control_path, error::Error, output::Format};

/// What all commands share.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The output format.
    pub(crate) format: Format,
    /// The value of `--control`.
    pub(crate) control: Option<PathBuf>,
}

// === impl Context ===

impl Context {
    /// The control socket: `--control`, else the environment, else the default.
    pub(crate) fn control_path(&self) -> PathBuf {
        self.named_control_path().unwrap_or_else(control_path::default)
    }

    /// The control socket, if `--control` or the environment names one.
    pub(crate) fn named_control_path(&self) -> Option<PathBuf> {
        self.control.clone().or_else(control_path::from_environment)
    }

    /// A client of the runtime.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.control_path())
    }

    /// Whether to show progress: a person is reading a terminal.
    pub(crate) fn shows_progress(&self) -> bool {
        self.format == Format::Human && std::io::stderr().is_terminal()
    }

    /// Runs an async command.
    ///
    /// # Errors
    ///
    /// Those of the command.
    pub(crate) fn block_on<T>(&self, command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let executor = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::AsyncRuntime { source })?;
        executor.block_on(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_overrides_the_environment_and_the_default() {
        let context = Context { format: Format::Human, control: Some("mine.sock".into()) };
        assert_eq!(context.control_path(), PathBuf::from("mine.sock"));
    }
}
