//! Runs the commands of a Markdown file as written.
//!
//! All `sh` blocks of a file run in one bash session in an empty directory, so a block may use files of an
//! earlier one. A comment before a block changes that: `<!-- run by .ci/run -->` skips the block, and `<!--
//! needs: gdb -->` skips it on a system without that program.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use crate::markdown::{self, Block};

/// The note of a block that `.ci/run` runs itself.
const RUN_ELSEWHERE: &str = "run by .ci/run";

/// Why not all commands of a file succeeded.
#[derive(Debug, thiserror::Error)]
pub enum CommandsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The session cannot start.
    #[error("cannot start bash for {}", path.display())]
    Start {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A command failed.
    #[error("a command of {} failed ({status}); the output above names its block", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The exit status of bash.
        status: ExitStatus,
    },
}

/// Runs the commands of a file and returns how many blocks ran. `programs` is the first directory in `PATH`.
///
/// # Errors
///
/// If a command fails, or the session cannot be started.
pub fn run(path: &Path, programs: &Path) -> Result<usize, CommandsError> {
    let read = |source| CommandsError::Read { path: path.to_owned(), source };
    let start = |source| CommandsError::Start { path: path.to_owned(), source };
    let document = fs::read_to_string(path).map_err(read)?;
    let blocks: Vec<Block> = markdown::blocks(&document).into_iter().filter(is_to_run).collect();
    let directory = tempfile::tempdir().map_err(start)?;
    let file = directory.path().join(".session.sh");
    fs::write(&file, script(path, &blocks)).map_err(start)?;
    let search = std::env::var("PATH").unwrap_or_default();
    let status = Command::new("bash")
        .arg(&file)
        .current_dir(directory.path())
        .env("PATH", format!("{}:{search}", programs.display()))
        .env_remove("SEGUE_CONTROL")
        .env_remove("XDG_RUNTIME_DIR")
        .status()
        .map_err(start)?;
    if !status.success() {
        return Err(CommandsError::Failed { path: path.to_owned(), status });
    }
    Ok(blocks.len())
}

/// Whether a block has commands, `.ci/run` does not run it itself, and its programs are installed.
fn is_to_run(block: &Block) -> bool {
    let is_missing = |program: &str| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
        !found.is_ok_and(|output| output.status.success())
    };
    let needs = block.note.strip_prefix("needs: ").unwrap_or_default();
    block.language == "sh" && block.note != RUN_ELSEWHERE && !needs.split_whitespace().any(is_missing)
}

/// Returns a script with all blocks. It kills background jobs at the end.
fn script(path: &Path, blocks: &[Block]) -> String {
    // Job control gives each job a process group: `a && b &` is a shell with a child, and both must end.
    let mut script = "set -euo pipefail; set -m\n\
                      trap 'code=$?; for job in $(jobs -p); do kill -- \"-$job\" 2> /dev/null || true; done; \
                      wait || true; exit $code' EXIT\n"
        .to_owned();
    for block in blocks {
        // Writing to a string cannot fail.
        let _ = writeln!(script, "echo '== {}:{}'\n{}", path.display(), block.line, block.text);
    }
    script
}

#[cfg(test)]
mod tests {
    use std::{
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    fn run_text(text: &str) -> Result<usize, CommandsError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page.md");
        fs::write(&path, text).unwrap();
        run(&path, directory.path())
    }

    #[test]
    fn blocks_share_a_session_and_a_failure_is_an_error() {
        let page =
            "```sh\necho 1 > made; sleep 60 &\n```\n\n```text\nfalse\n```\n\n```sh\ntest -s made\n```\n";
        assert_eq!(run_text(page).unwrap(), 2);
        assert!(matches!(run_text("```sh\nfalse\ntrue\n```\n"), Err(CommandsError::Failed { .. })));
    }

    #[test]
    fn background_jobs_end_with_the_session() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        // The second process of the job is a child of the shell that runs the list.
        let job = format!("true && sh -c 'echo $$ > {0}; exec sleep 600' &", pid.display());
        let page = format!("```sh\n{job}\nuntil test -s {}; do sleep 0.01; done\n```\n", pid.display());
        assert_eq!(run_text(&page).unwrap(), 1);
        let pid = fs::read_to_string(pid).unwrap();
        // A process that was killed ends soon after. What is left of it has no command line.
        let command_line =
            || fs::read(Path::new("/proc").join(pid.trim()).join("cmdline")).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !command_line().is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(command_line().is_empty(), "{pid} is still running");
    }

    #[test]
    fn a_block_can_be_skipped() {
        let page = "<!-- run by .ci/run -->\n```sh\nfalse\n```\n\n<!-- needs: no-such-program -->\n```sh\nfalse\n```\n";
        assert_eq!(run_text(page).unwrap(), 0);
    }
}
