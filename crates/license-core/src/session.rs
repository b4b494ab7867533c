//! What is held, and by which session. Everything is in one table, by token: what is known of a
//! session is kept with its first retention. So the index of sessions only leads to a token, and
//! whoever has the table alone, as a snapshot does, needs no index.

#![expect(
    clippy::disallowed_types,
    reason = "`Sessions` is a hash index: looked up by id, never iterated, so its order shows nowhere"
)]

use std::{collections::HashMap, iter, sync::Arc};

use foldhash::quality::RandomState;
use jiff::Timestamp;
use license_types::{Principal, ProductId, ServerName, SessionId, SessionState, Token};

use crate::{Digest, Ledger, Retained, tokens::Tokens};

/// The first token of each session that holds something.
pub(crate) type Sessions = HashMap<Arc<SessionId>, Token, RandomState>;

/// A retention that is held.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) record: Arc<Retained>,
    pub(crate) time: Timestamp,
    /// Who asked; absent without authentication.
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) holder: Holder,
}

/// Who holds a retention.
#[derive(Clone, Debug)]
pub(crate) enum Holder {
    /// A session that holds nothing of a lower token.
    First(Session),
    /// The session of which this token is the first.
    Of(Token),
}

/// A session that holds something.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The server that serves it.
    pub(crate) server: Arc<ServerName>,
    /// The first principal that retained for it.
    pub(crate) principal: Option<Arc<Principal>>,
    /// As its description said at first, then as it last told.
    pub(crate) state: Option<SessionState>,
    more: Option<Box<More>>,
}

/// What only few sessions have.
#[derive(Clone, Debug, Default)]
struct More {
    /// What it holds beside the first, in the order of the tokens. No session holds more products
    /// than a license lists, so a search through them costs little.
    held: Vec<(ProductId, Token)>,
    /// The digests of its descriptions that the log has, beside those of what it holds.
    described: Vec<Digest>,
}

/// What one session holds.
#[derive(Clone, Copy)]
pub(crate) struct Holding<'l> {
    first: &'l Live,
    pub(crate) session: &'l Session,
}

impl Session {
    pub(crate) fn new(
        server: Arc<ServerName>,
        principal: Option<Arc<Principal>>,
        state: Option<SessionState>,
    ) -> Session {
        Session { server, principal, state, more: None }
    }

    pub(crate) fn described(&self) -> &[Digest] {
        self.more.as_ref().map_or(&[], |more| &more.described)
    }

    /// What it holds beside the first.
    pub(crate) fn others(&self) -> &[(ProductId, Token)] {
        self.more.as_ref().map_or(&[], |more| &more.held)
    }

    pub(crate) fn describe(&mut self, digest: Digest) {
        if !self.described().contains(&digest) {
            self.more.get_or_insert_default().described.push(digest);
        }
    }

    fn give_up(&mut self, token: Token) {
        if let Some(more) = &mut self.more {
            more.held.retain(|(_, held)| *held != token);
        }
    }
}

impl<'l> Holding<'l> {
    pub(crate) fn id(self) -> &'l Arc<SessionId> {
        &self.first.record.session
    }

    /// What it holds, in the order of the tokens.
    pub(crate) fn held(self) -> impl Iterator<Item = (ProductId, Token)> + use<'l> {
        let record = &*self.first.record;
        iter::once((record.product, record.token)).chain(self.session.others().iter().copied())
    }

    /// The same, as it lies in the table.
    pub(crate) fn retentions(self, table: &'l Tokens<Live>) -> impl Iterator<Item = &'l Live> {
        let others = self.session.others().iter();
        iter::once(self.first).chain(others.filter_map(|(_, token)| table.get(*token)))
    }

    pub(crate) fn token_of(self, product: ProductId) -> Option<Token> {
        self.held().find(|(held, _)| *held == product).map(|(_, token)| token)
    }
}

impl Tokens<Live> {
    /// What a session holds, by its first token.
    pub(crate) fn holding(&self, first: Token) -> Option<Holding<'_>> {
        match self.get(first)? {
            first @ Live { holder: Holder::First(session), .. } => Some(Holding { first, session }),
            Live { holder: Holder::Of(_), .. } => None,
        }
    }

    /// What is known of a session, by its first token.
    pub(crate) fn session_mut(&mut self, first: Token) -> Option<&mut Session> {
        match self.get_mut(first)? {
            Live { holder: Holder::First(session), .. } => Some(session),
            Live { holder: Holder::Of(_), .. } => None,
        }
    }

    /// The session that holds a retention of this table.
    pub(crate) fn session_of<'l>(&'l self, live: &'l Live) -> Option<&'l Session> {
        match &live.holder {
            Holder::First(session) => Some(session),
            Holder::Of(first) => self.holding(*first).map(|holding| holding.session),
        }
    }

    /// Puts in a retention of the last token; `state` is what its description says of its session.
    pub(crate) fn hold(&mut self, live: Live, state: Option<SessionState>) {
        let (product, token) = (live.record.product, live.record.token);
        if let Holder::Of(first) = live.holder
            && let Some(session) = self.session_mut(first)
        {
            session.state = session.state.or(state);
            if session.principal.is_none() {
                session.principal.clone_from(&live.principal);
            }
            session.more.get_or_insert_default().held.push((product, token));
        }
        self.push(token, live);
    }

    /// Takes out a retention, and says what is left of what its session held.
    pub(crate) fn release(&mut self, token: Token) -> Left {
        let Some(Live { record, holder, .. }) = self.remove(token) else { return Left::Nothing };
        let digest = record.identity.digest();
        match holder {
            Holder::First(session) if session.others().is_empty() => Left::Nothing,
            Holder::First(mut session) => {
                session.describe(digest);
                self.hand_on(session)
            }
            Holder::Of(first) => {
                if let Some(session) = self.session_mut(first) {
                    session.describe(digest);
                    session.give_up(token);
                }
                Left::First
            }
        }
    }

    /// A session's first retention has ended: what is known of the session moves to the next one.
    fn hand_on(&mut self, mut session: Session) -> Left {
        let Some((_, first)) = session.others().first().copied() else { return Left::Nothing };
        session.give_up(first);
        for (_, other) in session.others() {
            if let Some(other) = self.get_mut(*other) {
                other.holder = Holder::Of(first);
            }
        }
        if let Some(next) = self.get_mut(first) {
            next.holder = Holder::First(session);
        }
        Left::From(first)
    }
}

/// What is left of what a session held when one retention ended.
pub(crate) enum Left {
    Nothing,
    /// The first, and maybe more.
    First,
    /// What begins with this token now.
    From(Token),
}

impl Ledger {
    /// What a session holds, where it holds anything.
    pub(crate) fn holding(&self, id: &SessionId) -> Option<Holding<'_>> {
        self.retentions.holding(*self.sessions.get(id)?)
    }
}
