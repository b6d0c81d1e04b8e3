//! Where `segue serve` takes its settings from: options first, then the configuration file, then defaults.

use std::{
    fs, io,
    num::{NonZeroU16, NonZeroU32},
    path::{Path, PathBuf},
};

use segue::Code;
use segue_serve::{Route, View};
use serde::Deserialize;

use super::Serve;
use crate::context::default_control_path;

/// The modules directory where nothing names one.
const MODULES: &str = "modules";
/// The state directory where nothing names one: beside the modules directory, so that both are found again.
const STATE: &str = "state";
/// The address where nothing names one: of this machine only.
const LISTEN: &str = "127.0.0.1:8080";

/// What to serve, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) modules: PathBuf,
    pub(super) state: PathBuf,
    pub(super) listen: String,
    pub(super) control: PathBuf,
    pub(super) routes: Vec<Route>,
    /// The server's own default where it is not said, as with the next two.
    pub(super) workers: Option<u16>,
    pub(super) queue: Option<u32>,
    pub(super) body_max: Option<u32>,
    pub(super) view: Option<View>,
}

/// The configuration file. An unknown name is refused, so that a misspelt one is noticed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
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

/// Why the settings make no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file could not be read.
    #[error("reading the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The configuration file is not understood.
    #[error("the configuration {} is not understood: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        source: Box<toml::de::Error>,
    },
    /// The modules directory that was named is not there.
    #[error("{}: there is no such directory", path.display())]
    NoModulesDir {
        /// The directory.
        path: PathBuf,
    },
    /// `RUST_LOG` is not understood.
    #[error("RUST_LOG is not understood: {reason}")]
    Log {
        /// Why.
        reason: String,
    },
}

// === impl Settings ===

impl Settings {
    /// Options go before the file, and the file before defaults; `named_control` is the option, or the environment. Routes
    /// of both are taken.
    ///
    /// A modules directory that was named has to be there: it may be misspelt, and it is not ours to make. The one that
    /// nobody named may come later.
    pub(super) fn resolve(
        options: &Serve,
        named_control: Option<PathBuf>,
        file: File,
    ) -> Result<Self, ConfigError> {
        let named_modules = options.modules.clone().or(file.modules);
        if let Some(path) = named_modules.as_ref().filter(|path| !path.is_dir()) {
            return Err(ConfigError::NoModulesDir { path: path.clone() });
        }
        let routes =
            options.routes.iter().cloned().chain(file.routes.into_iter().map(|RouteText(route)| route));
        let modules = named_modules.unwrap_or_else(|| MODULES.into());
        Ok(Settings {
            // Whoever asks where a version came from may be in another directory.
            modules: std::path::absolute(&modules).unwrap_or(modules),
            state: options.state.clone().or(file.state).unwrap_or_else(|| STATE.into()),
            listen: options.listen.clone().or(file.listen).unwrap_or_else(|| LISTEN.to_owned()),
            control: named_control.or(file.control).unwrap_or_else(default_control_path),
            routes: routes.collect(),
            workers: options.workers.or(file.workers.map(Into::into)),
            queue: options.queue.or(file.queue.map(Into::into)),
            body_max: options.body_max.or(file.body_max),
            view: options.view.or(file.view.map(|ViewText(view)| view)),
        })
    }
}

// === impl File ===

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut file: File = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        // So that it means the same wherever the command is run.
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
            ConfigError::Parse { .. } => Some("`segue serve --help` shows one"),
            ConfigError::NoModulesDir { .. } => Some("make it, or name another with --modules DIR"),
            ConfigError::Log { .. } => Some("for instance RUST_LOG=info, or RUST_LOG=warn,segue=debug"),
            ConfigError::Read { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    fn options(line: &str) -> Serve {
        Line::try_parse_from(line.split(' ')).unwrap().serve
    }

    fn file(directory: &Path, text: &str) -> Result<File, ConfigError> {
        let path = directory.join("segue.toml");
        fs::write(&path, text).unwrap();
        File::read(&path)
    }

    #[test]
    fn options_go_before_the_file_and_the_file_before_defaults() {
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

        let neither = Settings::resolve(&options("serve"), None, File::default()).unwrap();
        assert_eq!(neither.modules, std::env::current_dir().unwrap().join("modules"));
        assert_eq!(neither.state, PathBuf::from("state"));
        assert_eq!(neither.listen, "127.0.0.1:8080");
        assert_eq!(neither.control, default_control_path());
        assert_eq!((neither.routes.len(), neither.workers), (0, None));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["lisen = \"x\"", "workers = 0", "workers = \"many\"", "route = [\"api\"]", "modules ="] {
            let error = file(directory.path(), text).unwrap_err();
            assert!(matches!(error, ConfigError::Parse { .. }), "{text}: {error}");
            assert_eq!(error.code(), Code::BadRequest);
        }
        assert_eq!(File::read(&directory.path().join("missing.toml")).unwrap_err().code(), Code::NotFound);
        let named = Settings::resolve(&options("serve --modules /nowhere/modules"), None, File::default());
        assert!(matches!(named, Err(ConfigError::NoModulesDir { .. })));
        assert!(Line::try_parse_from(["serve", "--route", "api"]).is_err());
        assert!(Line::try_parse_from(["serve", "--workers", "0"]).is_err());
    }
}
