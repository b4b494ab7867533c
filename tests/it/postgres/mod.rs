//! The log on PostgreSQL: what it promises beyond what every log does, shown on servers that the
//! tests start. The ledger scripts and the promises of every log run on it in `pool`.

mod ahead;
mod bounds;
mod connections;
mod database;
mod encryption;
mod failover;
mod outages;
mod proxy;
pub(crate) mod server;
mod standstill;
mod store;
