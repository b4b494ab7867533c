//! Who asks, and what they may.

use std::sync::Arc;

use license_types::{Principal, ProblemCode};

use crate::failure::Failure;
use crate::operation::Operation;

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sees what is available, and its own sessions.
    Client,
    /// Reads everything.
    Viewer,
    /// Does everything.
    Admin,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The credential; none before the first was made.
    pub(crate) principal: Option<Arc<Principal>>,
    roles: &'static [Role],
    /// How many licenses it may hold.
    pub(crate) max_seats: Option<u64>,
}

impl Caller {
    /// Whoever calls while the store has no credential.
    pub(crate) fn anybody() -> Caller {
        Caller {
            principal: None,
            roles: &[Role::Client, Role::Viewer, Role::Admin],
            max_seats: None,
        }
    }

    /// Whether it is more than a client, so that sessions of others are no secret to it.
    pub(crate) fn reads_everything(&self) -> bool {
        self.roles.iter().any(|role| match role {
            Role::Viewer | Role::Admin => true,
            Role::Client => false,
        })
    }

    /// Refuses what it may not ask.
    pub(crate) fn permitted(&self, operation: Operation) -> Result<(), Failure> {
        let roles = operation.roles();
        if roles.is_empty() || roles.iter().any(|role| self.roles.contains(role)) {
            return Ok(());
        }
        let detail = format!("the role of this credential does not allow {}", operation.name());
        Err(Failure::new(ProblemCode::NotPermitted, detail))
    }
}
