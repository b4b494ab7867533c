//! The pool as an embedder sees it: promises of the runtime and of both its logs.

mod archive;
mod away;
mod batches;
mod clocks;
mod cluster;
mod copies;
mod damage;
mod driven;
mod dying;
mod engine;
mod faults;
mod figures;
mod files;
mod formats;
mod installing;
mod leases;
mod logs;
mod mishaps;
mod presence;
mod refusals;
mod restart;
mod seats;
mod sharing;
mod tampering;
mod undecided;
mod waiting;
pub(crate) mod world;
