//! Between the ledger's own values and the JSON shapes of the log.

use std::sync::Arc;

use license_types::{
    self as types, AdoptedEvent, ClockCorrectedEvent, Count, DateTime, DescribedEvent,
    InstalledEvent, MovedEvent, RefusedEvent, ReleasedEvent, RetainedEvent, Seconds, Sequence,
    Session, StateChangedEvent, UninstalledEvent,
};

use crate::{
    Breach, Description, Digest, Entry, Event, Fault, Identity, Installed, License, Refused,
    Released, Retained, Stamp, Whom,
};

impl Entry {
    /// The entry as history shows it.
    pub fn to_wire(&self) -> types::Entry {
        self.wire(|identity| identity.kept().map(|kept| kept.session()))
    }

    /// The entry without the descriptions of sessions: this is what the chain holds together.
    pub fn to_wire_erased(&self) -> types::Entry {
        self.wire(|_| None)
    }

    /// What an entry of the log says, read back.
    ///
    /// # Errors
    /// A [`Fault`] when the license or the description in it does not match its digest, or the
    /// license cannot be read. Whether the entry follows is for [`Ledger::replay`] to say.
    ///
    /// ```
    /// use license_core::{Entry, Event, Ledger, Stamp};
    ///
    /// let now = "2026-01-05T10:00:00Z".parse()?;
    /// let entry = Ledger::new().seal(Event::ClockCorrected, &Stamp::local(), now);
    /// let json = serde_json::to_string(&entry.to_wire())?;
    /// assert_eq!(Entry::from_wire(serde_json::from_str(&json)?)?, entry);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Ledger::replay`]: crate::Ledger::replay
    pub fn from_wire(entry: types::Entry) -> Result<Entry, Fault> {
        let sequence = entry.sequence.get();
        Ok(Entry {
            sequence,
            time: entry.time.timestamp(),
            stamp: Stamp {
                server: Arc::new(entry.server),
                epoch: entry.epoch.get(),
                batch: Arc::new(entry.batch),
                principal: entry.principal.map(Arc::new),
            },
            event: event(entry.event).map_err(|breach| Fault::new(sequence, breach))?,
            chain: Digest::from_wire(&entry.chain),
        })
    }

    /// The receipt of a release; `None` for any other entry.
    pub fn receipt(&self) -> Option<types::Released> {
        let Event::Released(released) = &self.event else { return None };
        Some(types::Released {
            product_id: released.product,
            token: released.token,
            time: DateTime::from(self.time),
            cause: released.cause,
        })
    }

    fn wire(&self, description: impl Fn(&Identity) -> Option<Session>) -> types::Entry {
        let digest = |identity: &Identity| identity.digest().to_wire();
        let event = match &self.event {
            Event::Installed(installed) => types::Event::Installed(InstalledEvent {
                license_number: installed.license.number().to_owned(),
                replaced_number: installed.replaced_number.as_deref().map(str::to_owned),
                signed: installed.signed,
                document_digest: installed.license.digest().to_wire(),
                document: installed.license.text().to_owned(),
            }),
            Event::Uninstalled { number } => {
                types::Event::Uninstalled(UninstalledEvent { license_number: number.to_string() })
            }
            Event::Retained(retained) => types::Event::Retained(RetainedEvent {
                session_id: (*retained.session).clone(),
                product_id: retained.product,
                product_name: retained.product_name.to_string(),
                product_used_count: count(retained.used_count),
                product_balance: count(retained.balance),
                global_product_used_count: count(retained.global_used_count),
                token: retained.token,
                reason: (*retained.reason).clone(),
                lease_seconds: retained.lease_seconds,
                description_digest: digest(&retained.identity),
                description: description(&retained.identity),
            }),
            Event::Released(released) => types::Event::Released(ReleasedEvent {
                token: released.token,
                session_id: (*released.session).clone(),
                product_id: released.product,
                cause: released.cause,
                note: released.note.as_deref().map(str::to_owned),
            }),
            Event::Refused(refused) => {
                let mut event = RefusedEvent {
                    session_id: None,
                    product_id: refused.product,
                    code: refused.code,
                    allowed_count: count(refused.allowed_count),
                    used_count: count(refused.used_count),
                    times: count(refused.times),
                    sessions: None,
                    waited_seconds: None,
                    reason: None,
                    description_digest: None,
                    description: None,
                };
                match &refused.whom {
                    Whom::Session { session, reason, identity, waited_seconds } => {
                        event.session_id = Some((**session).clone());
                        event.waited_seconds = waited_seconds.map(seconds);
                        event.reason = Some((**reason).clone());
                        event.description_digest = Some(digest(identity));
                        event.description = description(identity);
                    }
                    Whom::Others { sessions } => event.sessions = Some(count(*sessions)),
                }
                types::Event::Refused(event)
            }
            Event::StateChanged { session, state } => {
                types::Event::StateChanged(StateChangedEvent {
                    session_id: (**session).clone(),
                    state: *state,
                })
            }
            Event::Described { session, identity } => types::Event::Described(DescribedEvent {
                session_id: (**session).clone(),
                description_digest: digest(identity),
                description: description(identity),
            }),
            Event::Moved { sessions } => types::Event::Moved(MovedEvent {
                session_ids: sessions.iter().map(|session| (**session).clone()).collect(),
            }),
            Event::Adopted { from_server, from_epoch } => types::Event::Adopted(AdoptedEvent {
                from_server: (**from_server).clone(),
                from_epoch: count(*from_epoch),
            }),
            Event::ClockCorrected => types::Event::ClockCorrected(ClockCorrectedEvent {}),
        };
        types::Entry {
            sequence: Sequence::new(self.sequence).unwrap_or(Sequence::MAX),
            time: DateTime::from(self.time),
            server: (*self.stamp.server).clone(),
            epoch: count(self.stamp.epoch),
            batch: (*self.stamp.batch).clone(),
            principal: self.stamp.principal.as_deref().cloned(),
            event,
            chain: self.chain.to_wire(),
        }
    }
}

fn event(event: types::Event) -> Result<Event, Breach> {
    Ok(match event {
        types::Event::Installed(installed) => {
            let license =
                License::parse(installed.document.as_bytes()).map_err(Breach::Document)?;
            if license.digest() != Digest::from_wire(&installed.document_digest) {
                return Err(Breach::Digest { what: "document" });
            }
            if license.number() != installed.license_number {
                return Err(Breach::Number { number: installed.license_number });
            }
            Event::Installed(Installed {
                license: Arc::new(license),
                replaced_number: installed.replaced_number.map(Arc::from),
                signed: installed.signed,
            })
        }
        types::Event::Uninstalled(uninstalled) => {
            Event::Uninstalled { number: uninstalled.license_number.into() }
        }
        types::Event::Retained(retained) => Event::Retained(Arc::new(Retained {
            session: Arc::new(retained.session_id),
            product: retained.product_id,
            product_name: retained.product_name.into(),
            used_count: retained.product_used_count.get(),
            balance: retained.product_balance.get(),
            global_used_count: retained.global_product_used_count.get(),
            token: retained.token,
            reason: Arc::new(retained.reason),
            lease_seconds: retained.lease_seconds,
            identity: identity(&retained.description_digest, retained.description)?,
        })),
        types::Event::Released(released) => Event::Released(Released {
            token: released.token,
            session: Arc::new(released.session_id),
            product: released.product_id,
            cause: released.cause,
            note: released.note.map(Arc::from),
        }),
        types::Event::Refused(refused) => Event::Refused(Box::new(Refused {
            product: refused.product_id,
            code: refused.code,
            allowed_count: refused.allowed_count.get(),
            used_count: refused.used_count.get(),
            times: refused.times.get(),
            whom: whom(refused)?,
        })),
        types::Event::StateChanged(changed) => {
            Event::StateChanged { session: Arc::new(changed.session_id), state: changed.state }
        }
        types::Event::Described(described) => Event::Described {
            session: Arc::new(described.session_id),
            identity: identity(&described.description_digest, described.description)?,
        },
        types::Event::Moved(moved) => {
            Event::Moved { sessions: moved.session_ids.into_iter().map(Arc::new).collect() }
        }
        types::Event::Adopted(adopted) => Event::Adopted {
            from_server: Arc::new(adopted.from_server),
            from_epoch: adopted.from_epoch.get(),
        },
        types::Event::ClockCorrected(ClockCorrectedEvent {}) => Event::ClockCorrected,
    })
}

/// Either all that is known of one session, or how many sessions there were.
fn whom(refused: RefusedEvent) -> Result<Whom, Breach> {
    let RefusedEvent { session_id, reason, description_digest, sessions, .. } = refused;
    match (session_id, reason, description_digest, sessions) {
        (Some(session), Some(reason), Some(digest), None) => Ok(Whom::Session {
            session: Arc::new(session),
            reason: Arc::new(reason),
            identity: identity(&digest, refused.description)?,
            waited_seconds: refused.waited_seconds.map(Seconds::get),
        }),
        (None, None, None, Some(sessions))
            if refused.waited_seconds.is_none() && refused.description.is_none() =>
        {
            Ok(Whom::Others { sessions: sessions.get() })
        }
        _ => Err(Breach::Whom),
    }
}

fn identity(digest: &types::Digest, description: Option<Session>) -> Result<Identity, Breach> {
    let digest = Digest::from_wire(digest);
    let Some(session) = description else { return Ok(Identity::Erased(digest)) };
    let description = Description::matching(session, digest);
    description.map(Identity::Kept).ok_or(Breach::Digest { what: "description" })
}

/// A count as JSON has it. Counts of a ledger are sums far below the bound; what a caller chose to
/// be beyond it is shown as the bound.
pub(crate) fn count(count: u64) -> Count {
    Count::new(count).unwrap_or(Count::MAX)
}

pub(crate) fn seconds(seconds: u64) -> Seconds {
    Seconds::new(seconds).unwrap_or(Seconds::MAX)
}
