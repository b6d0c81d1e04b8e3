//! The settings of `segue serve`. An option overrides the configuration file, and the file overrides the
//! default.

use std::{
    fs, io,
    num::{NonZeroU16, NonZeroU32},
    path::{Path, PathBuf},
};

use segue::Code;
use segue_serve::{Route, View};
use serde::Deserialize;

use super::options::Serve;
use crate::context::default_control_path;

/// The default modules directory.
const MODULES_DEFAULT: &str = "modules";
/// The default state directory, next to the default modules directory.
const STATE_DEFAULT: &str = "state";
/// The default address. Only this machine can reach it.
const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

/// The resolved settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) modules: PathBuf,
    pub(super) state: PathBuf,
    pub(super) listen: String,
    pub(super) control: PathBuf,
    pub(super) routes: Vec<Route>,
    /// `None`, here and in the fields below: the server's default.
    pub(super) workers: Option<u16>,
    pub(super) queue: Option<u32>,
    pub(super) body_max: Option<u32>,
    pub(super) view: Option<View>,
}

/// The configuration file. An unknown name is an error, so a misspelled setting is not ignored silently.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    modules: Option<PathBuf>,
    state: Option<PathBuf>,
    listen: Option<String>,
    control: Option<PathBuf>,
    #[serde(default, rename = "route")]
    routes: Vec<RouteText>,
    workers: Option<NonZeroU16>,
    queue: Option<NonZeroU32>,
    body_max: Option<u32>,
    view: Option<ViewText>,
}

/// A view in the file, as text.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct ViewText(View);

/// A route in the file, as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct RouteText(Route);

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The configuration file is not valid.
    #[error("the configuration file {} is not valid: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's error, with the line and column.
        source: Box<toml::de::Error>,
    },
    /// The modules directory of an option or the configuration file does not exist.
    #[error("the modules directory {} does not exist", path.display())]
    NoModulesDir {
        /// The directory.
        path: PathBuf,
    },
    /// `RUST_LOG` is not valid.
    #[error("RUST_LOG is not valid: {reason}")]
    Log {
        /// The parser's message.
        reason: String,
    },
}

// === impl Settings ===

impl Settings {
    /// Merges the options, the file and the defaults, in this order of precedence. Routes of the options and
    /// the file are both used. `named_control` comes from the option or the environment.
    ///
    /// A modules directory that the user named must exist, because the name may be misspelled and the runtime
    /// never creates the directory. The default directory may be created later.
    pub(super) fn resolve(
        options: &Serve,
        named_control: Option<PathBuf>,
        file: ConfigFile,
    ) -> Result<Self, ConfigError> {
        let named_modules = options.modules.clone().or(file.modules);
        if let Some(path) = named_modules.as_ref().filter(|path| !path.is_dir()) {
            return Err(ConfigError::NoModulesDir { path: path.clone() });
        }
        let routes =
            options.routes.iter().cloned().chain(file.routes.into_iter().map(|RouteText(route)| route));
        let modules = named_modules.unwrap_or_else(|| MODULES_DEFAULT.into());
        Ok(Settings {
            // `segue status` prints the path, and may run in another directory.
            modules: std::path::absolute(&modules).unwrap_or(modules),
            state: options.state.clone().or(file.state).unwrap_or_else(|| STATE_DEFAULT.into()),
            listen: options.listen.clone().or(file.listen).unwrap_or_else(|| LISTEN_DEFAULT.to_owned()),
            control: named_control.or(file.control).unwrap_or_else(default_control_path),
            routes: routes.collect(),
            workers: options.workers.or(file.workers.map(Into::into)),
            queue: options.queue.or(file.queue.map(Into::into)),
            body_max: options.body_max.or(file.body_max),
            view: options.view.or(file.view.map(|ViewText(view)| view)),
        })
    }
}

// === impl ConfigFile ===

impl ConfigFile {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut file: ConfigFile = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        // Relative paths must not depend on the directory in which the command runs.
        if let Some(directory) = path.parent() {
            for named in [&mut file.modules, &mut file.state, &mut file.control].into_iter().flatten() {
                *named = directory.join(&*named);
            }
        }
        Ok(file)
    }
}

impl TryFrom<String> for RouteText {
    type Error = segue_serve::ParseRouteError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(RouteText)
    }
}

impl TryFrom<String> for ViewText {
    type Error = segue_serve::ParseViewError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(ViewText)
    }
}

// === impl ConfigError ===

impl ConfigError {
    pub(crate) fn code(&self) -> Code {
        match self {
            ConfigError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::NotFound,
            ConfigError::NoModulesDir { .. } => Code::NotFound,
            _ => Code::BadRequest,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            ConfigError::Parse { .. } => Some("`segue serve --help` shows an example"),
            ConfigError::NoModulesDir { .. } => {
                Some("create it, or name another directory with --modules DIR")
            }
            ConfigError::Log { .. } => Some("examples: RUST_LOG=info, RUST_LOG=warn,segue=debug"),
            ConfigError::Read { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct TestCli {
        #[command(flatten)]
        serve: Serve,
    }

    fn options(line: &str) -> Serve {
        TestCli::try_parse_from(line.split(' ')).unwrap().serve
    }

    fn file(directory: &Path, text: &str) -> Result<ConfigFile, ConfigError> {
        let path = directory.join("segue.toml");
        fs::write(&path, text).unwrap();
        ConfigFile::read(&path)
    }

    #[test]
    fn options_override_the_file_and_the_file_overrides_defaults() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("mine")).unwrap();
        let text = r#"
            modules = "mine"
            state = "/var/lib/segue"
            listen = "0.0.0.0:80"
            control = "run/segue.sock"
            route = ["/api=pricing"]
            workers = 3
            queue = 7
            body_max = 9
            view = "snapshot"
        "#;
        let file = file(directory.path(), text).unwrap();

        let from_file = Settings::resolve(&options("serve"), None, file.clone()).unwrap();
        assert_eq!(from_file.modules, directory.path().join("mine"));
        assert_eq!(from_file.state, PathBuf::from("/var/lib/segue"));
        assert_eq!(from_file.listen, "0.0.0.0:80");
        assert_eq!(from_file.control, directory.path().join("run/segue.sock"));
        assert_eq!((from_file.workers, from_file.queue, from_file.body_max), (Some(3), Some(7), Some(9)));
        assert_eq!(from_file.view, Some(View::Snapshot));

        let line = format!(
            "serve --modules {} --state s --listen 127.0.0.1:0 --route /=site --workers 5 --queue 6",
            directory.path().display()
        );
        let both = Settings::resolve(&options(&line), Some("named.sock".into()), file).unwrap();
        assert_eq!(both.modules, directory.path());
        assert_eq!((both.state, both.control), (PathBuf::from("s"), PathBuf::from("named.sock")));
        assert_eq!((both.listen.as_str(), both.workers, both.queue), ("127.0.0.1:0", Some(5), Some(6)));
        let routes: Vec<_> = both.routes.iter().map(|route| (route.prefix(), route.module())).collect();
        assert_eq!(routes, [("/", "site"), ("/api", "pricing")]);

        let neither = Settings::resolve(&options("serve"), None, ConfigFile::default()).unwrap();
        assert_eq!(neither.modules, std::env::current_dir().unwrap().join("modules"));
        assert_eq!(neither.state, PathBuf::from("state"));
        assert_eq!(neither.listen, "127.0.0.1:8080");
        assert_eq!(neither.control, default_control_path());
        assert_eq!((neither.routes.len(), neither.workers), (0, None));
    }

    #[test]
    fn invalid_settings_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["lisen = \"x\"", "workers = 0", "workers = \"many\"", "route = [\"api\"]", "modules ="] {
            let error = file(directory.path(), text).unwrap_err();
            assert!(matches!(error, ConfigError::Parse { .. }), "{text}: {error}");
            assert_eq!(error.code(), Code::BadRequest);
        }
        assert_eq!(
            ConfigFile::read(&directory.path().join("missing.toml")).unwrap_err().code(),
            Code::NotFound
        );
        let named =
            Settings::resolve(&options("serve --modules /nowhere/modules"), None, ConfigFile::default());
        assert!(matches!(named, Err(ConfigError::NoModulesDir { .. })));
        assert!(TestCli::try_parse_from(["serve", "--route", "api"]).is_err());
        assert!(TestCli::try_parse_from(["serve", "--workers", "0"]).is_err());
    }
}
