//! Real processes on one file: killed, frozen, and out of room.

mod crashes;
mod ground;
mod torn;
mod turns;
pub(crate) mod worker;
