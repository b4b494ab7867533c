//! Finds the entries that concern one user. Only descriptions name users; a release names the token that
//! it ends, so tokens have to be remembered.

use std::collections::{HashMap, HashSet};

use license_types::{Entry, Event, SessionId, Token};

/// Follows what the sessions of one user hold. It must see every entry, from the first.
pub(super) struct Follower {
    user: String,
    held: HashSet<Token>,
    /// How many licenses each of those sessions holds, at least one.
    sessions: HashMap<SessionId, u64>,
}

impl Follower {
    pub(super) fn new(user: String) -> Follower {
        Follower { user, held: HashSet::new(), sessions: HashMap::new() }
    }

    /// Whether the next entry concerns the user.
    pub(super) fn concerns(&mut self, entry: &Entry) -> bool {
        let described = entry.event.description();
        let named = described.is_some_and(|session| session.user_name() == self.user);
        match &entry.event {
            Event::Retained(event) if named => {
                self.held.insert(event.token);
                *self.sessions.entry(event.session_id.clone()).or_default() += 1;
            }
            Event::Released(event) => {
                let held = self.held.remove(&event.token);
                if held && let Some(count) = self.sessions.get_mut(&event.session_id) {
                    *count -= 1;
                    if *count == 0 {
                        self.sessions.remove(&event.session_id);
                    }
                }
                return held;
            }
            Event::Retained(_) | Event::Refused(_) => {}
            Event::StateChanged(_) | Event::Described(_) | Event::Moved(_) => {
                let is_followed = |id: &SessionId| self.sessions.contains_key(id);
                return named || entry.event.session_ids().iter().any(is_followed);
            }
            Event::Installed(_)
            | Event::Uninstalled(_)
            | Event::Adopted(_)
            | Event::ClockCorrected(_) => {}
        }
        named
    }
}
