//! What happened to one module.

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

use serde::{Deserialize, Serialize};

use crate::row::Row;

/// What the child counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) wrong: u64,
    /// The first wrong answer.
    pub(crate) first_wrong: Option<String>,
    pub(crate) releases: u32,
    /// How many displaced versions left memory.
    pub(crate) left: u32,
    /// Why the last one that stayed did, in the runtime's words.
    pub(crate) reason: Option<String>,
    /// Why the runtime refused a load.
    pub(crate) refused: Option<String>,
}

/// What the child counted and how it ended.
pub(crate) struct Report {
    counts: Option<Counts>,
    end: String,
    clean: bool,
    signals: u32,
}

impl Report {
    /// `ended` is `None` when the child hung.
    pub(crate) fn read(output: &str, ended: Option<ExitStatus>, signals: u32) -> Report {
        let counts = output.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let end = match ended {
            None => "hung".to_owned(),
            Some(status) => match status.signal() {
                Some(signal) => format!("killed by signal {signal}"),
                None => format!("exit {}", status.code().unwrap_or(-1)),
            },
        };
        Report { counts, end, clean: ended.is_some_and(|status| status.success()), signals }
    }

    /// What is not as the row says.
    pub(crate) fn verdict(&self, row: &Row, releases: u32) -> Result<(), &'static str> {
        let Some(counts) = self.counts.as_ref().filter(|_| self.clean) else {
            return Err("CRASHED");
        };
        if counts.wrong > 0 {
            return Err("WRONG ANSWERS");
        }
        if counts.calls == 0 {
            return Err("NO CALLS");
        }
        if row.signal.is_some() && self.signals == 0 {
            return Err("NO SIGNAL WAS SENT");
        }
        let all_left = counts.releases == releases && counts.left == releases;
        match (row.expect.as_str(), all_left) {
            ("works" | "setting", true) => Ok(()),
            ("works" | "setting", false) => Err("STAYED"),
            (_, true) => Err("LEFT, BUT THE ROW SAYS THAT IT STAYS"),
            _ if counts.reason.is_none() => Err("STAYED WITHOUT A REASON"),
            _ if counts.refused.is_some() => Err("REFUSED"),
            ("kept", _) if !counts.reason.as_ref().is_some_and(|why| why.starts_with("kept: links")) => {
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
                " calls={} wrong={} left={}/{}",
                counts.calls, counts.wrong, counts.left, counts.releases
            )?;
            let notes =
                [("reason", &counts.reason), ("refused", &counts.refused), ("first", &counts.first_wrong)];
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
