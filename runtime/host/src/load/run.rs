//! Starts a load: reads the files, runs the load on its own thread and waits for the answer.

use std::{path::PathBuf, sync::Arc};

use crate::{
    api::{Error, LoadTimings, Loaded, Source},
    intake,
    load::{
        plan::LoadPlan,
        refused::record_refused,
        sequence::run_load,
        set::{CandidateFile, collect},
    },
    shared::Shared,
};

/// Reads and loads the files of a set. Either all are current afterwards, or nothing has changed. A refusal
/// is recorded.
pub(crate) fn run(shared: &Arc<Shared>, sources: &[Source], plan: LoadPlan) -> Result<Vec<Loaded>, Error> {
    let actor = plan.context.actor.clone();
    let files = collect(sources.iter().map(|source| read(shared, source)));
    let loaded = files.and_then(|files| run_and_wait(shared, files, plan));
    if let Err(error) = &loaded {
        let names: Vec<String> = sources.iter().map(Source::to_string).collect();
        record_refused(shared, &actor, names.join(", "), error, Vec::new());
    }
    loaded
}

/// Loads files that have been read, on a thread of their own, and waits for the answer.
pub(crate) fn run_and_wait(
    shared: &Arc<Shared>,
    files: Vec<CandidateFile>,
    plan: LoadPlan,
) -> Result<Vec<Loaded>, Error> {
    let modules: Vec<&str> = files.iter().map(|file| file.inspected.metadata().name.as_str()).collect();
    let thread_name = format!("load {}", modules.join(" "));
    let shared_of_task = shared.clone();
    shared.tasks.spawn_and_wait(thread_name, move |answer| {
        // Cannot fail: this function waits for the answer.
        run_load(&shared_of_task, files, &plan, |loaded| drop(answer.send(loaded)));
    })
}

/// Reads and inspects the file of a source.
pub(crate) fn read(shared: &Shared, source: &Source) -> Result<CandidateFile, Error> {
    let path = match source {
        Source::File(path) => path.clone(),
        Source::Stored(digest) => shared.state_dir.image(digest),
    };
    let mut took = LoadTimings::default();
    let mut inspected = intake::read(&path, &mut took)?;
    if let Source::Stored(digest) = source {
        if inspected.digest() != *digest {
            return Err(Error::StoreDamaged { path, digest: *digest });
        }
        // The store does not have the libraries that were next to the file, so `$ORIGIN` needs its old path.
        let origin = match inspected.uses_origin() {
            true => shared.events.read_ledger(|ledger| ledger.origin(digest))?,
            false => None,
        };
        inspected = inspected.with_file(origin.map(PathBuf::from));
    }
    Ok(CandidateFile { inspected, source: source.to_string(), took })
}
