//! The settings of `segue serve`: options override the configuration file, and the file overrides the
//! defaults.

use std::{
    fs, io,
    num::{NonZeroU16, NonZeroU32},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use segue::Code;
use segue_serve::{Route, View};
use serde::Deserialize;

use crate::{
    control_path,
    duration::{DurationArg, ParseDurationError},
};

/// The default modules directory.
const MODULES: &str = "modules";
/// The default state directory. Both are in the working directory.
const STATE: &str = "state";
/// The default address, which only this machine reaches.
const LISTEN: &str = "127.0.0.1:8080";

/// What to serve, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) modules: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) listen: String,
    pub(crate) control: PathBuf,
    pub(crate) routes: Vec<Route>,
    /// `None` for the server's default, here and below.
    pub(crate) workers: Option<u16>,
    pub(crate) queue: Option<u32>,
    pub(crate) body_max: Option<u32>,
    pub(crate) view: Option<View>,
    pub(crate) drain: Option<Duration>,
}

/// The options of `segue serve` that the configuration file can set too.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The directory whose .so files are served [default: modules]
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The runtime's own directory; one runtime at a time may use it [default: state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Send all paths below a prefix to a module; repeat it for more routes
    #[arg(long = "route", value_name = "PREFIX=MODULE")]
    routes: Vec<Route>,
    /// The number of threads that call modules, which is the number of concurrent calls [default: 4 per
    /// processor, at least 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// The number of requests that may wait for a thread; further ones are answered 503 [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    queue: Option<u32>,
    /// The maximum length of a request body; a longer one is answered 413 [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    body_max: Option<u32>,
    /// The versions that a module's own calls to other modules reach [default: current]
    ///
    /// current: each call reaches the version that is current then.
    ///
    /// snapshot: all calls of a request reach the versions that were current when it began. This takes
    /// slightly longer, and an old version stays as long as the request.
    #[arg(long, value_name = "current|snapshot")]
    view: Option<View>,
    /// How long a stop waits for the requests that are inside; then it cuts them and exits with 5 [default:
    /// 30s]
    #[arg(long, value_name = "TIME")]
    drain: Option<DurationArg>,
}

/// The configuration file. Unknown keys are refused, because they may be misspelt.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
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
    drain: Option<DurationText>,
}

/// A view, as text in the file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct ViewText(View);

/// A duration, as text in the file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct DurationText(DurationArg);

/// A route, as text in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct RouteText(Route);

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ConfigError {
    /// The configuration file could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The configuration file is invalid.
    #[error("the configuration file {} is invalid: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, and why.
        source: Box<toml::de::Error>,
    },
    /// The named modules directory is missing.
    #[error("the modules directory {} does not exist", path.display())]
    NoModulesDir {
        /// The directory.
        path: PathBuf,
    },
    /// `RUST_LOG` is invalid.
    #[error("RUST_LOG is invalid: {reason}")]
    Log {
        /// Why.
        reason: String,
    },
}

// === impl Settings ===

impl Settings {
    /// Options override the file, and the file overrides the defaults. Routes of both are used.
    /// `named_control` is from the option or the environment.
    ///
    /// A named modules directory must exist: its name may be misspelt, and the runtime never creates it. The
    /// default one may be created later.
    pub(crate) fn resolve(
        options: &Options,
        named_control: Option<PathBuf>,
        file: ConfigFile,
    ) -> Result<Self, ConfigError> {
        let named_modules = options.modules.clone().or(file.modules);
        if let Some(path) = named_modules.as_ref().filter(|path| !path.is_dir()) {
            return Err(ConfigError::NoModulesDir { path: path.clone() });
        }
        let routes =
            options.routes.iter().cloned().chain(file.routes.into_iter().map(|RouteText(route)| route));
        let modules = named_modules.unwrap_or_else(|| MODULES.into());
        Ok(Settings {
            // Absolute, because a client that reads the source of a version may be in another directory.
            modules: std::path::absolute(&modules).unwrap_or(modules),
            state: options.state.clone().or(file.state).unwrap_or_else(|| STATE.into()),
            listen: options.listen.clone().or(file.listen).unwrap_or_else(|| LISTEN.to_owned()),
            control: named_control.or(file.control).unwrap_or_else(control_path::default),
            routes: routes.collect(),
            workers: options.workers.or(file.workers.map(Into::into)),
            queue: options.queue.or(file.queue.map(Into::into)),
            body_max: options.body_max.or(file.body_max),
            view: options.view.or(file.view.map(|ViewText(view)| view)),
            drain: options.drain.or(file.drain.map(|DurationText(drain)| drain)).map(DurationArg::duration),
        })
    }
}

// === impl ConfigFile ===

impl ConfigFile {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut file: ConfigFile = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        // Paths in the file are relative to the file, not to the working directory.
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

impl TryFrom<String> for DurationText {
    type Error = ParseDurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(DurationText)
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
            ConfigError::NoModulesDir { .. } => Some("create it, or name another with --modules DIR"),
            ConfigError::Log { .. } => Some("for example RUST_LOG=info, or RUST_LOG=warn,segue=debug"),
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
        options: Options,
    }

    fn options(line: &str) -> Options {
        Line::try_parse_from(line.split(' ')).unwrap().options
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
            drain = "2m"
        "#;
        let file = file(directory.path(), text).unwrap();

        let from_file = Settings::resolve(&options("serve"), None, file.clone()).unwrap();
        assert_eq!(from_file.modules, directory.path().join("mine"));
        assert_eq!(from_file.state, PathBuf::from("/var/lib/segue"));
        assert_eq!(from_file.listen, "0.0.0.0:80");
        assert_eq!(from_file.control, directory.path().join("run/segue.sock"));
        assert_eq!((from_file.workers, from_file.queue, from_file.body_max), (Some(3), Some(7), Some(9)));
        assert_eq!(from_file.view, Some(View::Snapshot));
        assert_eq!(from_file.drain, Some(Duration::from_secs(120)));

        let line = format!(
            "serve --modules {} --state s --listen 127.0.0.1:0 --route /=site --workers 5 --queue 6 --drain 5s",
            directory.path().display()
        );
        let both = Settings::resolve(&options(&line), Some("named.sock".into()), file).unwrap();
        assert_eq!(both.modules, directory.path());
        assert_eq!((both.state, both.control), (PathBuf::from("s"), PathBuf::from("named.sock")));
        assert_eq!((both.listen.as_str(), both.workers, both.queue), ("127.0.0.1:0", Some(5), Some(6)));
        assert_eq!(both.drain, Some(Duration::from_secs(5)));
        let routes: Vec<_> = both.routes.iter().map(|route| (route.prefix(), route.module())).collect();
        assert_eq!(routes, [("/", "site"), ("/api", "pricing")]);

        let neither = Settings::resolve(&options("serve"), None, ConfigFile::default()).unwrap();
        assert_eq!(neither.modules, std::env::current_dir().unwrap().join("modules"));
        assert_eq!(neither.state, PathBuf::from("state"));
        assert_eq!(neither.listen, "127.0.0.1:8080");
        assert_eq!(neither.control, control_path::default());
        assert_eq!((neither.routes.len(), neither.workers), (0, None));
    }

    #[test]
    fn an_invalid_setting_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for text in [
            "lisen = \"x\"",
            "workers = 0",
            "workers = \"many\"",
            "drain = \"30\"",
            "route = [\"api\"]",
            "modules =",
        ] {
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
        assert!(Line::try_parse_from(["serve", "--route", "api"]).is_err());
        assert!(Line::try_parse_from(["serve", "--workers", "0"]).is_err());
    }
}
