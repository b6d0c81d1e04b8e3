//! Loads: a file becomes the current version of its module.
//! A line belongs here if it is a step of that, from reading the file to publishing the version.
//! Never use `rollout` or `watch` here.

pub(crate) mod admission;
mod discard;
mod entries;
mod followup;
mod map;
mod plan;
mod publish;
mod ready;
mod refused;
mod run;
mod sequence;
mod set;
mod start;

pub(crate) use plan::{AfterPublish, LoadKind, LoadPlan, RollbackFrom};
pub(crate) use refused::record_refused;
pub(crate) use run::{read, run, run_and_wait};
pub(crate) use sequence::run_load;
pub(crate) use set::CandidateFile;
