//! Builds the module's file and has `segue probe` check that it unloads. The macro is
//! [`testing::leaves!`].
//!
//! The SDK has no JSON parser: it uses the exit code of the probe, and prints the probe's text unchanged.
//!
//! [`testing::leaves!`]: crate::testing::leaves!

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// Checks in a test that the module unloads: builds this crate's cdylib, and runs `segue probe` on it. The
/// arguments are requests that the probe makes. Without arguments it makes `GET /`.
///
/// ```text
/// #[test]
/// fn it_unloads() {
///     segue_sdk::testing::leaves!("GET /ada", "POST /orders {\"id\":1}");
/// }
/// ```
///
/// The environment variable `SEGUE` names the command. If it is unset, the first `segue` in `PATH` is used.
/// Without a command the test fails, because a test that passes without checking proves nothing.
///
/// # Panics
///
/// If something of the module stays, if the probe crashes or hangs, if the module is refused or cannot be
/// built, and if there is no `segue` command. The message includes the output of the probe.
#[macro_export]
#[doc(hidden)]
macro_rules! __leaves {
    ($($request:expr),* $(,)?) => {
        $crate::__private::leaves(env!("CARGO_MANIFEST_DIR"), &[$($request),*])
    };
}

/// The cargo options that built the running test, read from its path.
#[derive(Debug, Default, PartialEq, Eq)]
struct BuildOptions {
    target_dir: Option<PathBuf>,
    target: Option<String>,
    profile: Option<String>,
}

/// Implements [`testing::leaves!`](crate::testing::leaves!).
///
/// # Panics
///
/// As the macro does.
#[track_caller]
pub fn leaves(manifest_dir: &str, requests: &[&str]) {
    let segue = match find_segue(env::var_os("SEGUE"), env::var_os("PATH")) {
        Some(segue) => segue,
        None => panic!(
            "cannot check that the module unloads: no command `segue` in PATH; \
             install segue, or set SEGUE=/path/to/segue"
        ),
    };
    let manifest = Path::new(manifest_dir).join("Cargo.toml");
    let options = env::current_exe().map(|test| BuildOptions::of_test(&test)).unwrap_or_default();
    let file = match build(&manifest, &options) {
        Ok(file) => file,
        Err(reason) => panic!("the module cannot be built: {reason}"),
    };
    let mut probe = Command::new(&segue);
    probe.arg("probe").arg(&file);
    for request in requests {
        probe.arg("--request").arg(request);
    }
    let output = match probe.output() {
        Ok(output) => output,
        Err(error) => {
            panic!("{} cannot be started: {error}; set SEGUE to the path of the command", segue.display())
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (report, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "the module does not unload cleanly\n\n{report}{errors}");
    println!("{report}");
}

/// Finds the command: the value of `SEGUE` if it is not empty, otherwise the first `segue` in `PATH`.
fn find_segue(named: Option<OsString>, path: Option<OsString>) -> Option<PathBuf> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let path = path?;
    env::split_paths(&path).map(|directory| directory.join("segue")).find(|segue| segue.is_file())
}

/// Builds the cdylib with the options of the test, and returns its path.
fn build(manifest: &Path, options: &BuildOptions) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--lib", "--message-format", "json-render-diagnostics", "--manifest-path"]);
    cargo.arg(manifest).args(options.arguments());
    let output = cargo.output().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut files = messages.lines().filter_map(|line| cdylib_in(line, manifest));
    files.next_back().ok_or_else(|| {
        "the crate has no cdylib; add `crate-type = [\"cdylib\"]` to [lib] in its Cargo.toml".to_owned()
    })
}

/// The path of the cdylib, if this message of cargo reports the one of this manifest.
fn cdylib_in(message: &str, manifest: &Path) -> Option<PathBuf> {
    let value = |key: &str| message.split_once(&format!("\"{key}\":")).map(|(_, value)| value);
    let is_artifact = message.contains("\"reason\":\"compiler-artifact\"");
    let (manifest_path, _) = json_string(value("manifest_path")?)?;
    let is_ours = Path::new(&manifest_path) == manifest;
    if !is_artifact || !is_ours || !value("crate_types")?.contains("\"cdylib\"") {
        return None;
    }
    let mut names = value("filenames")?.strip_prefix('[')?;
    while let Some((name, rest)) = json_string(names) {
        if name.ends_with(env::consts::DLL_SUFFIX) {
            return Some(PathBuf::from(name));
        }
        names = rest.strip_prefix(',')?;
    }
    None
}

/// Reads the JSON string at the start of `text`, and returns it and the rest. Handles only the escapes that
/// cargo writes.
fn json_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

// === impl BuildOptions ===

impl BuildOptions {
    /// Reads the options from the path of a test: `TARGET_DIR/[TARGET/]PROFILE/deps/NAME`.
    fn of_test(test: &Path) -> Self {
        /// Cargo writes this file to each target directory.
        const TARGET_DIR_MARKER: &str = ".rustc_info.json";
        let is_target_dir = |path: &Path| path.join(TARGET_DIR_MARKER).is_file();
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let mut parents = test.ancestors().skip(2);
        let (Some(profile), Some(first), second) = (parents.next(), parents.next(), parents.next()) else {
            return BuildOptions::default();
        };
        let (target_dir, target) = match second {
            _ if is_target_dir(first) => (first, None),
            Some(second) if is_target_dir(second) => (second, name(first)),
            _ => return BuildOptions::default(),
        };
        // Only the profile `dev` has a directory of another name.
        let profile = name(profile).map(|name| if name == "debug" { "dev".to_owned() } else { name });
        BuildOptions { target_dir: Some(target_dir.to_owned()), target, profile }
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut add = |option: &str, value: OsString| arguments.extend([option.into(), value]);
        if let Some(target_dir) = &self.target_dir {
            add("--target-dir", target_dir.into());
        }
        if let Some(target) = &self.target {
            add("--target", target.into());
        }
        if let Some(profile) = &self.profile {
            add("--profile", profile.into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cdylib_is_found_among_cargos_messages() {
        let manifest = Path::new("/m/a \"b\"/Cargo.toml");
        let message = r#"{"reason":"compiler-artifact","package_id":"x","manifest_path":"/m/a \"b\"/Cargo.toml","target":{"kind":["cdylib"],"crate_types":["cdylib","rlib"],"name":"a"},"filenames":["/t/liba.rlib","/t/liba.so"],"fresh":true}"#;
        assert_eq!(cdylib_in(message, manifest), Some(PathBuf::from("/t/liba.so")));
        assert_eq!(cdylib_in(message, Path::new("/m/Cargo.toml")), None, "it belongs to another crate");
        assert_eq!(cdylib_in(&message.replace("cdylib", "proc-macro"), manifest), None);
        assert_eq!(cdylib_in(r#"{"reason":"build-finished","success":true}"#, manifest), None);
        assert_eq!(cdylib_in("no JSON", manifest), None);
    }

    #[test]
    fn the_variable_takes_precedence_over_the_path() {
        assert_eq!(find_segue(Some("/x/segue".into()), None), Some("/x/segue".into()));
        assert_eq!(find_segue(Some("".into()), Some("/nowhere".into())), None);
        assert_eq!(find_segue(None, None), None);
    }

    #[test]
    fn the_module_is_built_with_the_options_of_the_test() {
        let target_dir = env::temp_dir().join(format!("segue-unloads-{}", std::process::id()));
        std::fs::create_dir_all(&target_dir).unwrap();
        std::fs::write(target_dir.join(".rustc_info.json"), "").unwrap();
        let options = |test: &str| BuildOptions::of_test(&target_dir.join(test));
        let debug = options("debug/deps/a-1");
        assert_eq!((debug.profile.as_deref(), debug.target.as_deref()), (Some("dev"), None));
        let cross = options("some-target/release/deps/a-1");
        assert_eq!(
            (cross.profile.as_deref(), cross.target.as_deref()),
            (Some("release"), Some("some-target"))
        );
        assert_eq!(cross.target_dir.as_ref(), Some(&target_dir));
        assert_eq!(options("a/b/c/d/e"), BuildOptions::default());
        std::fs::remove_dir_all(target_dir).unwrap();
    }
}
