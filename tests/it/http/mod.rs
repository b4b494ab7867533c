//! The license server: what it answers, through its real router or over the network.

mod contract;
mod fuzz;
mod metrics;
mod network;
mod safety;
pub(crate) mod world;
