//! Commands with an idempotency key: sent twice, run once.

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

/// The keys of the running commands.
#[derive(Default)]
pub(crate) struct IdempotencyKeys {
    running: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

// === impl RequestContext ===

impl RequestContext {
    /// The ledger change that stores an answer under the command's key. It belongs to the transaction of the
    /// command.
    ///
    /// Times in the answer are those measured up to now. A repeated command gets the same times.
    pub(crate) fn answered(&self, command: &Command, answer: &impl Serialize) -> Option<LedgerChange> {
        let key = self.key.clone()?;
        // Our answers can always be serialized.
        let answer = serde_json::to_string(answer).ok()?;
        Some(LedgerChange::Answered { key, command: command.clone(), answer })
    }
}

// === impl Answered ===

impl Answered {
    /// The stored answer. If it is not in the ledger yet, its `recorded` is false.
    fn read<R: DeserializeOwned>(&self) -> serde_json::Result<R> {
        let mut answer: Value = serde_json::from_str(&self.answer)?;
        if let (Recorded::NotYet, Some(recorded)) = (self.recorded, answer.get_mut("recorded")) {
            *recorded = Value::Bool(false);
        }
        serde_json::from_value(answer)
    }
}

// === impl IdempotencyKeys ===

impl IdempotencyKeys {
    /// Runs a command once for its key. If it ran before, the stored answer is returned. A command that
    /// failed, or that changed nothing, runs again.
    pub(crate) fn once<R: DeserializeOwned>(
        &self,
        events: &Events,
        context: &RequestContext,
        command: &Command,
        act: impl FnOnce() -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Some(key) = &context.key else { return act() };
        let command_lock = self.running.lock().entry(key.clone()).or_default().clone();
        let result = {
            // Waits if the same command is still running.
            let _running = command_lock.lock();
            match events.answer(key) {
                Err(error) => Err(error),
                Ok(None) => act(),
                Ok(Some(answered)) if answered.command == *command => {
                    answered.read().map_err(|error| Error::Internal {
                        what: format!("cannot read the stored answer for key {key:?}: {error}"),
                    })
                }
                Ok(Some(Answered { command, .. })) => {
                    Err(Error::KeyReused { key: key.clone(), command: command.to_string() })
                }
            }
        };
        let mut running = self.running.lock();
        drop(command_lock);
        if running.get(key).is_some_and(|command_lock| Arc::strong_count(command_lock) == 1) {
            running.remove(key);
        }
        result
    }
}
