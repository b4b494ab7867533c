//! The license server: what it answers, through its real router or over the network.

mod contract;
mod fuzz;
mod history;
mod licenses;
mod metrics;
mod network;
mod safety;
mod screening;
mod trouble;
pub(crate) mod world;
