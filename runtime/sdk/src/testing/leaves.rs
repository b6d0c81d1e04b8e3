//! Builds the module's file in a test, and has `segue probe` show that it leaves memory. The macro is [`testing::leaves!`].
//!
//! The SDK reads no JSON, so it takes the probe's exit code, and shows its text as it is.
//!
//! [`testing::leaves!`]: crate::testing::leaves

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// Shows in a test that the module leaves memory: builds this crate's cdylib, and runs `segue probe` on it. The arguments are
/// requests that the probe makes; without any it is `GET /`.
///
/// ```text
/// #[test]
/// fn it_leaves_memory() {
///     segue_sdk::testing::leaves!("GET /ada", "POST /orders {\"id\":1}");
/// }
/// ```
///
/// The command is the file that the variable `SEGUE` names, or else `segue` in `PATH`. Without a command the test fails: a test that
/// passes without looking shows nothing.
///
/// # Panics
///
/// If something stays, if the process of the probe crashes or hangs, if the module is refused, if it cannot be built, and if there is
/// no command. The panic has the words of the probe.
#[macro_export]
#[doc(hidden)]
macro_rules! __leaves {
    ($($request:expr),* $(,)?) => {
        $crate::__private::leaves(env!("CARGO_MANIFEST_DIR"), &[$($request),*])
    };
}

/// Where cargo put the test, and so how it builds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    target_dir: Option<PathBuf>,
    target: Option<String>,
    profile: Option<String>,
}

/// What [`testing::leaves!`](crate::testing::leaves) does.
///
/// # Panics
///
/// As there.
#[track_caller]
pub fn leaves(manifest_dir: &str, requests: &[&str]) {
    let segue = match find_segue(env::var_os("SEGUE"), env::var_os("PATH")) {
        Some(segue) => segue,
        None => panic!(
            "there is no command `segue` to show that the module leaves memory: \
             install segue, or set SEGUE=/path/to/segue"
        ),
    };
    let manifest = Path::new(manifest_dir).join("Cargo.toml");
    let place = env::current_exe().map(|test| Place::of(&test)).unwrap_or_default();
    let file = match build(&manifest, &place) {
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
        Err(error) => panic!("{} cannot be started: {error}; SEGUE names the command", segue.display()),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (report, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "the module does not leave memory as it must\n\n{report}{said}");
    println!("{report}");
}

/// The command, if there is one.
fn find_segue(named: Option<OsString>, path: Option<OsString>) -> Option<PathBuf> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let path = path?;
    env::split_paths(&path).map(|directory| directory.join("segue")).find(|segue| segue.is_file())
}

/// Has cargo build the cdylib as it built the test. Answers with its file.
fn build(manifest: &Path, place: &Place) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--lib", "--message-format", "json-render-diagnostics", "--manifest-path"]);
    cargo.arg(manifest).args(place.options());
    let output = cargo.output().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut files = messages.lines().filter_map(|line| cdylib_of(line, manifest));
    files.next_back().ok_or_else(|| "the crate has no cdylib: `crate-type = [\"cdylib\"]`".to_owned())
}

/// The file that a message of cargo tells, if it is the cdylib of this manifest.
fn cdylib_of(message: &str, manifest: &Path) -> Option<PathBuf> {
    let value = |key: &str| message.split_once(&format!("\"{key}\":")).map(|(_, value)| value);
    let is_artifact = message.contains("\"reason\":\"compiler-artifact\"");
    let (of, _) = string(value("manifest_path")?)?;
    if !is_artifact || Path::new(&of) != manifest || !value("crate_types")?.contains("\"cdylib\"") {
        return None;
    }
    let mut names = value("filenames")?.strip_prefix('[')?;
    while let Some((name, rest)) = string(names) {
        if name.ends_with(env::consts::DLL_SUFFIX) {
            return Some(PathBuf::from(name));
        }
        names = rest.strip_prefix(',')?;
    }
    None
}

/// A string of JSON, and what is behind it. Cargo escapes only what it must.
fn string(text: &str) -> Option<(String, &str)> {
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

// === impl Place ===

impl Place {
    /// Of a test at `TARGET_DIR/[TARGET/]PROFILE/deps/NAME`. A target directory has a file of this name.
    fn of(test: &Path) -> Self {
        const OF_TARGET_DIR: &str = ".rustc_info.json";
        let is_target_dir = |path: &Path| path.join(OF_TARGET_DIR).is_file();
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let mut above = test.ancestors().skip(2);
        let (Some(profile), Some(first), second) = (above.next(), above.next(), above.next()) else {
            return Place::default();
        };
        let (target_dir, target) = match second {
            _ if is_target_dir(first) => (first, None),
            Some(second) if is_target_dir(second) => (second, name(first)),
            _ => return Place::default(),
        };
        // The directory of the profile `dev` has another name.
        let profile = name(profile).map(|name| if name == "debug" { "dev".to_owned() } else { name });
        Place { target_dir: Some(target_dir.to_owned()), target, profile }
    }

    fn options(&self) -> Vec<OsString> {
        let mut options = Vec::new();
        let mut add = |option: &str, value: OsString| options.extend([option.into(), value]);
        if let Some(target_dir) = &self.target_dir {
            add("--target-dir", target_dir.into());
        }
        if let Some(target) = &self.target {
            add("--target", target.into());
        }
        if let Some(profile) = &self.profile {
            add("--profile", profile.into());
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cdylib_is_found_among_cargos_messages() {
        let manifest = Path::new("/m/a \"b\"/Cargo.toml");
        let message = r#"{"reason":"compiler-artifact","package_id":"x","manifest_path":"/m/a \"b\"/Cargo.toml","target":{"kind":["cdylib"],"crate_types":["cdylib","rlib"],"name":"a"},"filenames":["/t/liba.rlib","/t/liba.so"],"fresh":true}"#;
        assert_eq!(cdylib_of(message, manifest), Some(PathBuf::from("/t/liba.so")));
        assert_eq!(cdylib_of(message, Path::new("/m/Cargo.toml")), None, "of another crate");
        assert_eq!(cdylib_of(&message.replace("cdylib", "proc-macro"), manifest), None);
        assert_eq!(cdylib_of(r#"{"reason":"build-finished","success":true}"#, manifest), None);
        assert_eq!(cdylib_of("no JSON", manifest), None);
    }

    #[test]
    fn the_variable_goes_before_the_path_and_without_both_there_is_no_command() {
        assert_eq!(find_segue(Some("/x/segue".into()), None), Some("/x/segue".into()));
        assert_eq!(find_segue(Some("".into()), Some("/nowhere".into())), None);
        assert_eq!(find_segue(None, None), None);
    }

    #[test]
    fn it_builds_as_the_test_was_built() {
        let target_dir = env::temp_dir().join(format!("segue-leaves-{}", std::process::id()));
        std::fs::create_dir_all(&target_dir).unwrap();
        std::fs::write(target_dir.join(".rustc_info.json"), "").unwrap();
        let place = |test: &str| Place::of(&target_dir.join(test));
        let debug = place("debug/deps/a-1");
        assert_eq!((debug.profile.as_deref(), debug.target.as_deref()), (Some("dev"), None));
        let crossed = place("some-target/release/deps/a-1");
        assert_eq!(
            (crossed.profile.as_deref(), crossed.target.as_deref()),
            (Some("release"), Some("some-target"))
        );
        assert_eq!(crossed.target_dir.as_ref(), Some(&target_dir));
        assert_eq!(place("a/b/c/d/e"), Place::default());
        std::fs::remove_dir_all(target_dir).unwrap();
    }
}
