//! Reads and clears the reports of an earlier process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{crash::symbol::function_at, file::digest::Digest};

/// A report of the end of a process, by a fatal signal or by a module that called `exit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CrashReport {
    /// The signal's number; 0 for `exit`.
    pub signal: i32,
    /// The name, such as `SIGSEGV`, or `exit(1)` with the status.
    pub signal_name: String,
    /// The module that the end is attributed to; `None` if it is no module.
    pub module: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its generation.
    pub generation: Option<u64>,
    /// The digest of its file.
    pub digest: Option<Digest>,
    /// How long before the end its file was opened, in milliseconds, by the monotonic clock.
    pub age_ms: Option<u64>,
    /// How long before the end the image was unmapped, in milliseconds; `None` if it was mapped.
    #[serde(default)]
    pub left_ms: Option<u64>,
    /// The address in the file; [`symbol`](CrashReport::symbol) names the function. `None` for `exit`, and
    /// while the file was being opened.
    pub offset: Option<u64>,
    /// How the module was found.
    pub attributed_by: Option<AttributedBy>,
    /// The address of the instruction; 0 for `exit`.
    pub pc: u64,
    /// The address that could not be accessed, for a fault; `None` for a signal that was sent, for example by
    /// `abort`.
    pub address: Option<u64>,
    /// The process that sent the signal, if it was another one. Then no module is named, because the code
    /// that the thread was running is unrelated.
    pub sent_by: Option<i32>,
    /// The time, in seconds since 1970.
    pub at: u64,
    /// The process that died.
    pub pid: i32,
    /// The thread that got the signal.
    pub tid: i32,
}

/// How a module was found to be the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AttributedBy {
    /// The instruction was in its code.
    Address,
    /// The instruction was elsewhere, in libc or in the host, and the innermost return address of any module
    /// was in this one. Most probably it called the code that crashed, directly or indirectly. This is no
    /// proof, because a stack also has words left from calls that have returned.
    Stack,
    /// The thread was opening its file: one of its constructors crashed, or the dynamic linker did.
    Opening,
    /// It called `exit`.
    Exit,
    /// It was unmapped before, and something still called its code or used its memory: for example a callback
    /// in a library, a thread that the runtime does not track, or a pointer in another module.
    Left,
}

// === impl AttributedBy ===

impl AttributedBy {
    /// The name in the report. Async-signal-safe.
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
    /// The function and the offset in it, such as `name+0x1a`, from the symbols of the module's file. `None`
    /// if the digest of `file` differs, or if the file has no symbol for the function. A stripped file has
    /// few symbols.
    pub fn symbol(&self, file: &[u8]) -> Option<String> {
        if Some(Digest::of(file)) != self.digest {
            return None;
        }
        let offset = self.offset?;
        // A return address is past the call, which may be the last instruction of its function.
        let inside = match self.attributed_by {
            Some(AttributedBy::Stack) => offset.checked_sub(1)?,
            _ => offset,
        };
        let (name, start) = function_at(file, inside)?;
        // `#` omits the hash: the digest identifies the build.
        Some(format!("{:#}+{:#x}", rustc_demangle::demangle(&name), offset - start))
    }
}

// === Reading ===

/// Reads the reports in a file, the earliest first. Returns none if the file does not exist. Partial lines
/// are skipped.
///
/// To process each report once, read them, record them durably, and then [clear](clear_reports) them. Do this
/// before the reports of this process are [installed](crate::CrashReports::install).
///
/// # Errors
///
/// If the file cannot be read.
pub fn read_reports(path: &Path) -> Result<Vec<CrashReport>, io::Error> {
    Ok(lines(&read(path)?).filter_map(parse).collect())
}

/// Removes these reports, which are the first ones in the file. Reports that were added since they were read
/// stay.
///
/// # Errors
///
/// If the file cannot be read or written. Then the reports may be read again.
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
    // In place, because this process may have the file open for its own reports.
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
    fn reading_and_clearing_keeps_later_reports() {
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
        assert_eq!(serde_json::to_string(&reports[0]).unwrap(), line("one"), "the format round-trips");

        fs::write(&path, format!("{}\n{half}\n{}\n{}\n", line("one"), line("two"), line("three"))).unwrap();
        clear_reports(&path, &reports).unwrap();
        assert_eq!(modules(&read_reports(&path).unwrap()), ["three"]);
        clear_reports(&path, &read_reports(&path).unwrap()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn another_file_names_no_function() {
        let report: CrashReport = serde_json::from_str(&line("one")).unwrap();
        assert_eq!(report.symbol(&fs::read(std::env::current_exe().unwrap()).unwrap()), None);
        assert_eq!(report.symbol(b"one"), None, "it is not an ELF file");
    }
}
