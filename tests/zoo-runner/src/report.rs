//! The result of releasing one module, and whether it matches the row.

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

use serde::{Deserialize, Serialize};

use crate::row::Row;

/// What the child counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) wrong: u64,
    /// The first wrong response.
    pub(crate) first_wrong: Option<String>,
    pub(crate) releases: u32,
    /// How many displaced versions were unloaded.
    pub(crate) unloaded: u32,
    /// Why the last version that stayed did, as the runtime reports it.
    pub(crate) reason: Option<String>,
    /// Why the runtime refused a load.
    pub(crate) refused: Option<String>,
    /// Why the last version stayed after the module was deleted.
    pub(crate) last: Option<String>,
}

/// What the child counted and how it ended.
pub(crate) struct Report {
    counts: Option<Counts>,
    end: String,
    is_success: bool,
    signals: u32,
}

impl Report {
    /// `status` is `None` if the child hung.
    pub(crate) fn read(output: &str, status: Option<ExitStatus>, signals: u32) -> Report {
        let counts = output.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let end = match status {
            None => "hung".to_owned(),
            Some(status) => match status.signal() {
                Some(signal) => format!("killed by signal {signal}"),
                None => format!("exit {}", status.code().unwrap_or(-1)),
            },
        };
        Report { counts, end, is_success: status.is_some_and(|status| status.success()), signals }
    }

    /// # Errors
    ///
    /// How the result differs from the row.
    pub(crate) fn verdict(&self, row: &Row, releases: u32) -> Result<(), &'static str> {
        let Some(counts) = self.counts.as_ref().filter(|_| self.is_success) else {
            return Err("CRASHED");
        };
        if counts.wrong > 0 {
            return Err("WRONG RESPONSES");
        }
        if counts.calls == 0 {
            return Err("NO CALLS");
        }
        if row.signal.is_some() && self.signals == 0 {
            return Err("NO SIGNAL WAS SENT");
        }
        if counts.last.is_some() {
            return Err("THE LAST VERSION STAYED");
        }
        let are_all_unloaded = counts.releases == releases && counts.unloaded == releases;
        match (row.expect.as_str(), are_all_unloaded) {
            ("works" | "setting", true) => Ok(()),
            ("works" | "setting", false) => Err("STAYED"),
            _ if counts.unloaded > 0 => Err("UNLOADED, BUT THE ROW SAYS KEPT"),
            _ if counts.reason.is_none() => Err("STAYED WITHOUT A REASON"),
            _ if counts.refused.is_some() => Err("REFUSED"),
            _ if !counts.reason.as_ref().is_some_and(|why| why.starts_with(&row.reason)) => {
                Err("STAYED FOR ANOTHER REASON")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.end)?;
        if let Some(counts) = &self.counts {
            write!(
                f,
                " calls={} wrong={} unloaded={}/{}",
                counts.calls, counts.wrong, counts.unloaded, counts.releases
            )?;
            let notes = [
                ("reason", &counts.reason),
                ("refused", &counts.refused),
                ("last", &counts.last),
                ("first", &counts.first_wrong),
            ];
            for (name, note) in notes {
                if let Some(note) = note {
                    write!(f, " {name}=[{note}]")?;
                }
            }
        }
        if self.signals > 0 {
            write!(f, " signals={}", self.signals)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASES: u32 = 3;
    const CLEAN: i32 = 0;
    const EXIT_1: i32 = 1 << 8;
    const SIGSEGV: i32 = 11;
    const LINKS: &str = "kept: links libssl.so.3";

    fn row(expect: &str) -> Row {
        Row {
            name: "zrow".to_owned(),
            krate: "row".to_owned(),
            expect: expect.to_owned(),
            note: String::new(),
            reason: "kept: links".to_owned(),
            signal: None,
        }
    }

    /// The counts for a row that works.
    fn all_unloaded() -> Counts {
        Counts { calls: 100, releases: RELEASES, unloaded: RELEASES, ..Counts::default() }
    }

    /// The counts for a row that is kept.
    fn all_stayed(reason: &str) -> Counts {
        Counts { unloaded: 0, reason: Some(reason.to_owned()), ..all_unloaded() }
    }

    fn verdict(row: &Row, counts: &Counts, status: i32, signals: u32) -> Result<(), &'static str> {
        let output = format!("loaded\n{}\n", serde_json::to_string(counts).unwrap());
        Report::read(&output, Some(ExitStatus::from_raw(status)), signals).verdict(row, RELEASES)
    }

    #[test]
    fn a_result_that_matches_its_row_passes() {
        assert_eq!(verdict(&row("works"), &all_unloaded(), CLEAN, 0), Ok(()));
        assert_eq!(verdict(&row("setting"), &all_unloaded(), CLEAN, 0), Ok(()));
        assert_eq!(verdict(&row("kept"), &all_stayed(LINKS), CLEAN, 0), Ok(()));
    }

    #[test]
    fn a_process_that_crashed_fails_whatever_it_counted() {
        for expect in ["works", "setting", "kept"] {
            assert_eq!(verdict(&row(expect), &all_unloaded(), SIGSEGV, 0), Err("CRASHED"));
            assert_eq!(verdict(&row(expect), &all_unloaded(), EXIT_1, 0), Err("CRASHED"));
            assert_eq!(verdict(&row(expect), &all_stayed(LINKS), SIGSEGV, 0), Err("CRASHED"));
        }
    }

    #[test]
    fn a_process_that_counted_nothing_or_hung_fails() {
        let clean = Some(ExitStatus::from_raw(CLEAN));
        assert_eq!(Report::read("", clean, 0).verdict(&row("works"), RELEASES), Err("CRASHED"));
        assert_eq!(Report::read("loaded\n", clean, 0).verdict(&row("kept"), RELEASES), Err("CRASHED"));
        let output = serde_json::to_string(&all_unloaded()).unwrap();
        assert_eq!(Report::read(&output, None, 0).verdict(&row("works"), RELEASES), Err("CRASHED"));
    }

    #[test]
    fn one_wrong_response_fails() {
        let counts = Counts { wrong: 1, ..all_unloaded() };
        assert_eq!(verdict(&row("works"), &counts, CLEAN, 0), Err("WRONG RESPONSES"));
        let counts = Counts { wrong: 1, ..all_stayed(LINKS) };
        assert_eq!(verdict(&row("kept"), &counts, CLEAN, 0), Err("WRONG RESPONSES"));
    }

    #[test]
    fn a_row_without_calls_or_without_its_signal_fails() {
        let counts = Counts { calls: 0, ..all_unloaded() };
        assert_eq!(verdict(&row("works"), &counts, CLEAN, 0), Err("NO CALLS"));
        let signalled = Row { signal: Some("USR1".to_owned()), ..row("works") };
        assert_eq!(verdict(&signalled, &all_unloaded(), CLEAN, 0), Err("NO SIGNAL WAS SENT"));
        assert_eq!(verdict(&signalled, &all_unloaded(), CLEAN, 1), Ok(()));
    }

    #[test]
    fn one_version_that_stays_fails_a_row_that_works() {
        let counts = Counts {
            unloaded: RELEASES - 1,
            reason: Some("thread pool-1 waits".to_owned()),
            ..all_unloaded()
        };
        assert_eq!(verdict(&row("works"), &counts, CLEAN, 0), Err("STAYED"));
        assert_eq!(verdict(&row("setting"), &counts, CLEAN, 0), Err("STAYED"));
    }

    #[test]
    fn a_last_version_that_stays_fails() {
        let counts = Counts { last: Some("a call is inside".to_owned()), ..all_unloaded() };
        assert_eq!(verdict(&row("works"), &counts, CLEAN, 0), Err("THE LAST VERSION STAYED"));
    }

    #[test]
    fn a_refused_load_fails() {
        let refused = Some("too many versions stay".to_owned());
        let counts = Counts { releases: 2, unloaded: 2, refused: refused.clone(), ..all_unloaded() };
        assert_eq!(verdict(&row("works"), &counts, CLEAN, 0), Err("STAYED"));
        let counts = Counts { releases: 2, refused, ..all_stayed(LINKS) };
        assert_eq!(verdict(&row("kept"), &counts, CLEAN, 0), Err("REFUSED"));
    }

    #[test]
    fn a_version_that_is_kept_for_another_reason_fails() {
        let counts = all_stayed("a call is inside");
        assert_eq!(verdict(&row("kept"), &counts, CLEAN, 0), Err("STAYED FOR ANOTHER REASON"));
        let other = Row { reason: "a call".to_owned(), ..row("kept") };
        assert_eq!(verdict(&other, &counts, CLEAN, 0), Ok(()));
        let silent = Counts { reason: None, ..counts };
        assert_eq!(verdict(&row("kept"), &silent, CLEAN, 0), Err("STAYED WITHOUT A REASON"));
    }

    #[test]
    fn an_unloaded_version_of_a_row_that_says_kept_fails() {
        let error = verdict(&row("kept"), &all_unloaded(), CLEAN, 0);
        assert_eq!(error, Err("UNLOADED, BUT THE ROW SAYS KEPT"));
        let one = Counts { unloaded: 1, ..all_stayed(LINKS) };
        let error = verdict(&row("kept"), &one, CLEAN, 0);
        assert_eq!(error, Err("UNLOADED, BUT THE ROW SAYS KEPT"));
    }
}
