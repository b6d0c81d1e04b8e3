use super::*;
use crate::exit_code::ExitCode;

fn new(name: &str, parent: &Path) -> Result<Created, NewError> {
    write(name, None, parent)
}

fn exit_code(error: &NewError) -> ExitCode {
    error.code().into()
}

fn read(created: &Created, file: &str) -> String {
    fs::read_to_string(created.path.join(file)).unwrap()
}

#[test]
fn a_new_crate_is_complete() {
    let parent = tempfile::tempdir().unwrap();
    let created = new("till-2", parent.path()).unwrap();
    assert_eq!(created.path, parent.path().join("till-2"));
    for file in &created.files {
        assert!(created.path.join(file).is_file(), "{}", file.display());
    }
    let manifest: toml::Table = read(&created, "Cargo.toml").parse().unwrap();
    assert_eq!(manifest["package"]["name"].as_str(), Some("till-2"));
    assert_eq!(manifest["lib"]["crate-type"][0].as_str(), Some("cdylib"));
    assert_eq!(manifest["dependencies"].as_table().unwrap().len(), 1);
    assert_eq!(manifest["dependencies"]["segue-sdk"]["path"].as_str(), Some("vendor/segue-sdk"));
    assert!(manifest.contains_key("workspace"), "it is its own workspace");
    assert!(read(&created, "README.md").contains("segue check target/release/libtill_2.so"));
    assert_eq!(read(&created, ".gitignore"), "/target\n");
    for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
        let text = read(&created, file);
        assert!(!text.contains("{{"), "{file}: every placeholder is replaced");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing else is left");
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries.flat_map(files).collect()
}

#[test]
fn the_copy_of_the_sdk_is_complete() {
    let parent = tempfile::tempdir().unwrap();
    let created = new("till", parent.path()).unwrap();
    for (crate_name, folder) in [("segue-sdk", "../sdk"), ("segue-abi", "../abi")] {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("src");
        for source in files_below(&original) {
            let below = source.strip_prefix(&original).unwrap();
            let file = Path::new("vendor").join(crate_name).join("src").join(below);
            assert!(created.files.contains(&file), "{}", file.display());
            assert_eq!(read(&created, file.to_str().unwrap()), fs::read_to_string(&source).unwrap());
        }
    }
    let sdk: toml::Table = read(&created, "vendor/segue-sdk/Cargo.toml").parse().unwrap();
    let abi = sdk["dependencies"]["segue-abi"]["path"].as_str().unwrap();
    assert!(created.path.join("vendor/segue-sdk").join(abi).join("Cargo.toml").is_file());
}

#[test]
fn a_new_crate_can_depend_on_the_sdk_of_a_checkout() {
    let parent = tempfile::tempdir().unwrap();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk");
    let created = write("till", Some(&sdk), parent.path()).unwrap();
    let manifest: toml::Table = read(&created, "Cargo.toml").parse().unwrap();
    let path = manifest["dependencies"]["segue-sdk"]["path"].as_str().unwrap();
    assert_eq!(Path::new(path), sdk.canonicalize().unwrap());
    assert!(!created.path.join("vendor").exists());
    assert!(!read(&created, "README.md").contains("vendor"));

    let error = write("other", Some(parent.path()), parent.path()).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::NotFound);
}

#[test]
fn an_invalid_name_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let long = "a".repeat(65);
    for name in ["", "a b", "a/b", "..", "é", "2a", "-a", "fn", "gen", "test", "std", "segue-sdk", "_", &long]
    {
        let error = new(name, parent.path()).unwrap_err();
        assert!(matches!(error, NewError::Name { .. }), "{name}: {error}");
        assert_eq!(exit_code(&error), ExitCode::Usage);
        assert_eq!(error.hint().is_some(), name.contains('/'), "{name}");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    for name in ["_a", "A1-b_c", &"a".repeat(64)] {
        assert!(name::check(name).is_ok(), "{name}");
    }
}

#[test]
fn an_existing_directory_is_untouched_and_a_failure_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    fs::create_dir(parent.path().join("till")).unwrap();
    let error = new("till", parent.path()).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Refused);
    assert_eq!(fs::read_dir(parent.path().join("till")).unwrap().count(), 0);
    let error = new("bill", &parent.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, NewError::Io { .. }));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}
