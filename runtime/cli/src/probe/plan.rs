//! What a probe does.

use std::{path::PathBuf, time::Duration};

use crate::probe::call::Call;

/// What a probe does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) file: PathBuf,
    pub(crate) requests: Vec<Call>,
    pub(crate) rounds: usize,
    pub(crate) threads: usize,
    pub(crate) deadline: Duration,
}

// === impl Plan ===

impl Plan {
    /// The options of `segue probe` that give another process the same plan, without the file.
    pub(super) fn options(&self) -> Vec<String> {
        let deadline = format!("{}ms", self.deadline.as_millis());
        let numbers = [("--rounds", self.rounds.to_string()), ("--threads", self.threads.to_string())];
        let requests = self.requests.iter().map(|request| ("--request", request.to_string()));
        let options = numbers.into_iter().chain([("--deadline", deadline)]).chain(requests);
        options.flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    /// The calls, in words.
    pub(super) fn calls_text(&self) -> String {
        let requests: Vec<String> = self.requests.iter().map(ToString::to_string).collect();
        format!("calls of {}", requests.join(", "))
    }
}
