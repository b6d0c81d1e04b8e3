//! What was written when a process died, read by the next one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{crash::symbol::function_at, file::digest::Digest};

/// What a process wrote of its own end: by a fatal signal, or by a module that called `exit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CrashReport {
    /// The signal's number; 0 for `exit`.
    pub signal: i32,
    /// What it is called: `SIGSEGV`, or `exit(1)`, with the status.
    pub signal_name: String,
    /// The module whose code it was; none where it was no module's.
    pub module: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Which load it was.
    pub generation: Option<u64>,
    /// The digest of its file.
    pub digest: Option<Digest>,
    /// How long before that its file was opened, in milliseconds, whatever the system's clock was set to meanwhile.
    pub age_ms: Option<u64>,
    /// How long before that the image had left memory, in milliseconds; none if it was in memory.
    #[serde(default)]
    pub left_ms: Option<u64>,
    /// Where in the file it was, as the file counts addresses: [`symbol`](CrashReport::symbol) names the function. None while
    /// the file was being opened, and for `exit`.
    pub offset: Option<u64>,
    /// By what the module was found.
    pub attributed_by: Option<AttributedBy>,
    /// The address of the instruction; 0 for `exit`.
    pub pc: u64,
    /// The address that it was not to reach, for a fault; none for a signal that was sent, such as that of `abort`.
    pub address: Option<u64>,
    /// The process that sent the signal, where it was another one. Then no module is named: what the thread was doing is by
    /// chance.
    pub sent_by: Option<i32>,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The process that died.
    pub pid: i32,
    /// The thread of it that had the signal.
    pub tid: i32,
}

/// By what a module was found to be the one that crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AttributedBy {
    /// The instruction was in it.
    Address,
    /// The instruction was elsewhere, in libc or in the host, and of all modules this one's code was innermost on the
    /// stack: it has most probably called what crashed, directly or not. A stack also has words that are left from calls
    /// that have returned.
    Stack,
    /// Its file was being opened by that thread: one of its constructors crashed, or the dynamic linker did over the file.
    Opening,
    /// It called `exit`.
    Exit,
    /// It had left memory before, and something still called its code or used its memory: a callback that a library keeps, a
    /// thread that the runtime does not see, a pointer that another module holds.
    Left,
}

// === impl AttributedBy ===

impl AttributedBy {
    /// As it is written. Safe in a signal handler.
    pub(super) fn name(self) -> &'static str {
        match self {
            AttributedBy::Address => "address",
            AttributedBy::Stack => "stack",
            AttributedBy::Opening => "opening",
            AttributedBy::Exit => "exit",
            AttributedBy::Left => "left",
        }
    }
}

// === impl CrashReport ===

impl CrashReport {
    /// The function that it was in and how far, `name+0x1a`, as the module's file names it. None where this is not the
    /// file, by its digest, and where it names no function there: a file that was stripped names few.
    pub fn symbol(&self, file: &[u8]) -> Option<String> {
        if Some(Digest::of(file)) != self.digest {
            return None;
        }
        let offset = self.offset?;
        // What is on a stack is behind the call, and that may be the last of its function.
        let inside = match self.attributed_by {
            Some(AttributedBy::Stack) => offset.checked_sub(1)?,
            _ => offset,
        };
        let (name, start) = function_at(file, inside)?;
        // Without the hash: which build it is, the digest says.
        Some(format!("{:#}+{:#x}", rustc_demangle::demangle(&name), offset - start))
    }
}

// === Reading ===

/// Reads the reports in a file, the earliest first; none where there is no such file. A line that was written only half is passed
/// over.
///
/// To tell each once: read them, record what they say so that it lasts, and then [clear](clear_reports) them; before reports
/// of this process are [installed](crate::CrashReports::install).
///
/// # Errors
///
/// Where the file cannot be read.
pub fn read_reports(path: &Path) -> Result<Vec<CrashReport>, io::Error> {
    Ok(lines(&read(path)?).filter_map(parse).collect())
}

/// Takes these reports, the first ones in the file, out of it. What was added since they were read stays.
///
/// # Errors
///
/// Where the file cannot be read or written; then they may be told again.
pub fn clear_reports(path: &Path, reports: &[CrashReport]) -> Result<(), io::Error> {
    let bytes = read(path)?;
    let mut reports = reports.iter();
    let mut is_read = |line: &&[u8]| parse(line).is_none_or(|report| reports.next() == Some(&report));
    let mut rest: Vec<u8> = Vec::new();
    for line in lines(&bytes).skip_while(|line| is_read(line)) {
        rest.extend_from_slice(line);
        rest.push(b'\n');
    }
    if bytes.is_empty() {
        return Ok(());
    }
    // Not by another file in its place: this process may have it open for its own reports.
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.set_len(0)?;
    file.write_all(&rest)?;
    file.sync_all()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(bytes)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn parse(line: &[u8]) -> Option<CrashReport> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn line(module: &str) -> String {
        let digest = Digest::of(module.as_bytes());
        format!(
            r#"{{"signal":11,"signal_name":"SIGSEGV","module":"{module}","version":"1.0.0","generation":7,"digest":"{digest}","age_ms":1500,"left_ms":null,"offset":4660,"attributed_by":"stack","pc":139637976727552,"address":8,"sent_by":null,"at":1790000000,"pid":1,"tid":2}}"#
        )
    }

    fn modules(reports: &[CrashReport]) -> Vec<&str> {
        reports.iter().filter_map(|report| report.module.as_deref()).collect()
    }

    #[test]
    fn reports_are_read_and_cleared_and_what_came_meanwhile_stays() {
        let path = std::env::temp_dir().join(format!("segue-reports-{}", std::process::id()));
        assert_eq!(read_reports(&path).unwrap(), []);
        clear_reports(&path, &[]).unwrap();
        assert!(!path.exists());

        let half = &line("half")[..50];
        fs::write(&path, format!("{}\n{half}\n{}\n{half}", line("one"), line("two"))).unwrap();
        let reports = read_reports(&path).unwrap();
        assert_eq!(modules(&reports), ["one", "two"]);
        assert_eq!(reports[0].attributed_by, Some(AttributedBy::Stack));
        assert_eq!((reports[0].digest, reports[0].offset), (Some(Digest::of(b"one")), Some(0x1234)));
        assert_eq!(serde_json::to_string(&reports[0]).unwrap(), line("one"), "it is written as it is read");

        fs::write(&path, format!("{}\n{half}\n{}\n{}\n", line("one"), line("two"), line("three"))).unwrap();
        clear_reports(&path, &reports).unwrap();
        assert_eq!(modules(&read_reports(&path).unwrap()), ["three"]);
        clear_reports(&path, &read_reports(&path).unwrap()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_of_other_bytes_names_no_function() {
        let report: CrashReport = serde_json::from_str(&line("one")).unwrap();
        assert_eq!(report.symbol(&fs::read(std::env::current_exe().unwrap()).unwrap()), None);
        assert_eq!(report.symbol(b"one"), None, "and neither does one that is no ELF file");
    }
}
