//! Builds the modules of `tests/zoo`, releases each under traffic in a process of its own, and compares what happens with what
//! the module's `Cargo.toml` says.

#![forbid(unsafe_code)]

mod child;
mod report;
mod row;

use std::{
    env,
    error::Error,
    fs::File,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use crate::{report::Report, row::Row};

/// The rows that `.ci/run` covers: quick to build.
const QUICK: [&str; 8] =
    ["zsha2", "zrayonpool", "zparking", "zxbeam", "zregex", "zlazy", "zthreadlocal", "zdashmap"];

/// The longest time for one row, apart from its releases. A child that takes longer counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest time for one release.
const PER_RELEASE: Duration = Duration::from_secs(21);

/// Releases the modules of the zoo.
#[derive(Parser)]
struct Arguments {
    /// Cover all rows, not only the quick ones.
    #[arg(long)]
    full: bool,
    /// Cover these rows only.
    #[arg(long)]
    only: Vec<String>,
    /// How often each module is released.
    #[arg(long, default_value_t = 10)]
    releases: u32,
    /// Release this file, in this process. The runner starts itself with it.
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "FILE"])]
    child: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.child.as_slice() {
        [name, file] => child::run(name, Path::new(file), arguments.releases).map(|()| true),
        _ => run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all rows are as they say.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zoo");
    let all = row::read(&zoo)?;
    row::check_table(&zoo, &all)?;
    let chosen: Vec<Row> = all.into_iter().filter(|row| is_chosen(arguments, &row.name)).collect();
    if chosen.is_empty() {
        return Err("no row has that name: `ls tests/zoo` lists them".into());
    }
    build(&zoo, &chosen)?;
    let mut good = true;
    for row in &chosen {
        let report = release(&zoo, row, arguments.releases)?;
        let verdict = report.verdict(row, arguments.releases);
        good &= verdict.is_ok();
        println!("{:14} {:8} {report} {}", row.name, row.expect, verdict.err().unwrap_or("as it says"));
    }
    Ok(good)
}

fn is_chosen(arguments: &Arguments, name: &str) -> bool {
    if arguments.only.is_empty() {
        arguments.full || QUICK.contains(&name)
    } else {
        arguments.only.iter().any(|only| only == name)
    }
}

fn build(zoo: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build").arg("--locked").current_dir(zoo).env_remove("CARGO_TARGET_DIR");
    for row in rows {
        cargo.args(["-p", &row.name]);
    }
    if cargo.status()?.success() {
        Ok(())
    } else {
        Err("the zoo does not build: see cargo's words above".into())
    }
}

/// Releases one module in a child, which may crash, and sends it the row's signal meanwhile.
fn release(zoo: &Path, row: &Row, releases: u32) -> Result<Report, Box<dyn Error>> {
    let file = zoo.join(format!("target/debug/lib{}.so", row.name));
    let output = tempfile::NamedTempFile::new()?;
    let mut child = Command::new(env::current_exe()?)
        .arg("--releases")
        .arg(releases.to_string())
        .arg("--child")
        .arg(&row.name)
        .arg(&file)
        .stdout(Stdio::from(File::create(output.path())?))
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    let mut signals = 0;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if began.elapsed() > PATIENCE + PER_RELEASE * releases {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
        // Before the first load nothing handles the signal, and its default action ends the process.
        if let Some(signal) = &row.signal
            && std::fs::read_to_string(output.path())?.contains(child::LOADED)
        {
            Command::new("kill")
                .arg(format!("-{signal}"))
                .arg(child.id().to_string())
                .stderr(Stdio::null())
                .status()?;
            signals += 1;
        }
    };
    Ok(Report::read(&std::fs::read_to_string(output.path())?, ended, signals))
}
