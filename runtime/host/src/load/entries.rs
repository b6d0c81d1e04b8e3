//! The events and ledger changes of a load that succeeds.

use crate::{
    api::{Command, Event, Loaded},
    load::{
        plan::{LoadKind, LoadPlan},
        ready::ReadyVersion,
    },
    store::ledger::LedgerChange,
};

/// One event with its ledger changes for each member of the set. The first also has the answer for the
/// idempotency key.
pub(super) fn of_load(
    ready: &[ReadyVersion],
    loaded: &[Loaded],
    set: &[String],
    plan: &LoadPlan,
) -> Vec<(Event, Vec<LedgerChange>)> {
    let mut entries: Vec<_> =
        ready.iter().zip(loaded).map(|(member, loaded)| of_member(member, loaded, set, plan)).collect();
    let answer = match &plan.command {
        Some(command @ Command::Rollback { .. }) => {
            let rolled_back = loaded.first().and_then(Loaded::as_rollback);
            rolled_back.and_then(|rolled_back| plan.context.answered(command, &rolled_back))
        }
        Some(command) => plan.context.answered(command, &loaded),
        None => None,
    };
    if let Some((_, changes)) = entries.first_mut() {
        changes.extend(answer);
    }
    entries
}

fn of_member(
    ReadyVersion { version, inspected, .. }: &ReadyVersion,
    loaded: &Loaded,
    set: &[String],
    plan: &LoadPlan,
) -> (Event, Vec<LedgerChange>) {
    let info = &version.info;
    let (module, digest, version) = (info.module.to_string(), info.digest, info.id.version.clone());
    let mut changes = vec![LedgerChange::Generation(info.id.generation)];
    changes.extend(match (plan.kind, plan.trial) {
        (LoadKind::Restore, _) => None,
        (_, Some(_)) => Some(LedgerChange::OnTrial { module: module.clone(), digest, version }),
        (_, None) => Some(LedgerChange::Confirmed { module: module.clone(), digest, version }),
    });
    changes.extend(plan.drop_in_change(digest));
    let origin = inspected.file().filter(|_| inspected.uses_origin()).and_then(|file| file.to_str());
    changes.extend(origin.map(|file| LedgerChange::Origin { digest, file: file.to_owned() }));
    let current = info.id.clone();
    let event = match (plan.kind, &loaded.replaced) {
        (LoadKind::Rollback(_), Some(old)) => Event::RolledBack { module, current, old: old.clone(), digest },
        _ => Event::Loaded {
            with: set.iter().filter(|name| **name != module).cloned().collect(),
            module,
            current,
            replaced: loaded.replaced.clone(),
            digest,
            source: info.source.clone(),
            trial_ms: plan.trial.map(|trial| trial.length.as_millis().try_into().unwrap_or(u64::MAX)),
            took_us: loaded.took_us.total,
            warnings: loaded.warnings.clone(),
        },
    };
    (event, changes)
}
