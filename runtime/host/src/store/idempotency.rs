//! Commands with a key: sent twice, done once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    api::{Command, Error, RequestContext},
    store::{
        event_log::{Answered, Events, Recorded},
        ledger::LedgerChange,
    },
};

/// The commands with a key that go on.
#[derive(Default)]
pub(crate) struct IdempotencyKeys {
    busy: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

// === impl Asked ===

impl RequestContext {
    /// What the ledger is to keep of an answer, in the transaction of what it answers for.
    ///
    /// The times in it are those until then: a command that is asked for again is answered with these.
    pub(crate) fn answered(&self, command: &Command, answer: &impl Serialize) -> Option<LedgerChange> {
        let key = self.key.clone()?;
        // An answer of ours can always be written.
        let answer = serde_json::to_string(answer).ok()?;
        Some(LedgerChange::Answered { key, command: command.clone(), answer })
    }
}

// === impl Answered ===

impl Answered {
    /// The answer once more. What was done before it could be written says so as long as it is not.
    fn read<R: DeserializeOwned>(&self) -> serde_json::Result<R> {
        let mut answer: Value = serde_json::from_str(&self.answer)?;
        if let (Recorded::NotYet, Some(recorded)) = (self.recorded, answer.get_mut("recorded")) {
            *recorded = Value::Bool(false);
        }
        serde_json::from_value(answer)
    }
}

// === impl Keys ===

impl IdempotencyKeys {
    /// Runs a command. If it was done under the same key before, it answers what was answered then. A command that was
    /// refused, or had nothing to do, runs again.
    pub(crate) fn once<R: DeserializeOwned>(
        &self,
        events: &Events,
        context: &RequestContext,
        command: &Command,
        act: impl FnOnce() -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Some(key) = &context.key else { return act() };
        let running = self.busy.lock().entry(key.clone()).or_default().clone();
        let done = {
            // The same command that came before, and goes on, is waited for.
            let _running = running.lock();
            match events.answer(key) {
                Err(error) => Err(error),
                Ok(None) => act(),
                Ok(Some(answered)) if answered.command == *command => answered
                    .read()
                    .map_err(|error| Error::Internal { what: format!("the answer of key {key:?}: {error}") }),
                Ok(Some(Answered { command, .. })) => {
                    Err(Error::KeyReused { key: key.clone(), command: command.to_string() })
                }
            }
        };
        let mut busy = self.busy.lock();
        drop(running);
        if busy.get(key).is_some_and(|running| Arc::strong_count(running) == 1) {
            busy.remove(key);
        }
        done
    }
}
