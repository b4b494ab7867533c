//! Finds out who asks, and what they may do.
//!
//! The credentials of the store are cached for a moment ([`FRESH`]), so that not every request reads
//! them. A credential that the cache lacks may just have been made, so it is looked up at once; each
//! such look counts as a failure of its address, so that guessing does not load the store.
//!
//! While the store has no credential at all, callers of this machine may act without one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use license_pool::{KeptCredential, Pool, Secret};
use license_types::{CredentialRole, Principal, ProblemCode};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::limits::{Limits, Rate};
use crate::operation::Operation;
use crate::options::Options;
use crate::screen::Origin;

/// What a credential is for.
pub(crate) type Role = CredentialRole;

/// How long the cached credentials are believed.
const FRESH: Duration = Duration::from_millis(250);

/// How often, during a long answer, the caller's credential is checked again.
const LOOK: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The credential; none if the operation is open to all, or the store has no credential yet.
    pub(crate) principal: Option<Arc<Principal>>,
    roles: &'static [Role],
    /// How many licenses it may hold.
    pub(crate) max_seats: Option<u64>,
}

impl Caller {
    /// Whoever calls from this machine while the store has no credential.
    fn anybody() -> Caller {
        Caller { principal: None, roles: &[Role::Client, Role::Viewer], max_seats: None }
    }

    fn of(kept: &KeptCredential) -> Caller {
        let credential = &kept.credential;
        Caller {
            principal: Some(Arc::new(credential.id.clone())),
            roles: match credential.role {
                Role::Client => &[Role::Client],
                Role::Viewer => &[Role::Viewer],
                Role::Admin => &[Role::Admin],
            },
            max_seats: credential.max_seats.map(|seats| seats.get()),
        }
    }

    /// Whether it may see the sessions of others.
    pub(crate) fn reads_everything(&self) -> bool {
        self.roles.iter().any(|role| match role {
            Role::Viewer | Role::Admin => true,
            Role::Client => false,
        })
    }

    /// Whether it is an administrator.
    pub(crate) fn administers(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }

    /// Refuses an operation that it may not ask for.
    pub(crate) fn permitted(&self, operation: Operation) -> Result<(), Failure> {
        let roles = operation.roles();
        if roles.is_empty() || roles.iter().any(|role| self.roles.contains(role)) {
            return Ok(());
        }
        let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        let detail = match self.principal {
            Some(_) => format!("this needs a credential of the role {}", words.join(" or ")),
            None => format!(
                "this needs a credential of the role {}: make one with `license credential create`",
                words.join(" or ")
            ),
        };
        Err(Failure::new(ProblemCode::NotPermitted, detail))
    }
}

/// The credentials of a store, cached.
pub(crate) struct Credentials {
    pool: Pool,
    known: RwLock<(Option<Instant>, Arc<Known>)>,
    /// Held while the store is asked; meanwhile others use what is cached.
    asking: Mutex<()>,
    rate: Rate<Arc<Principal>>,
    failures: Rate<Option<IpAddr>>,
}

/// Credentials by their ids.
type Known = HashMap<String, Arc<(KeptCredential, Caller)>>;

impl Credentials {
    pub(crate) fn new(pool: Pool, limits: &Limits) -> Credentials {
        let per_second = f64::from(limits.requests_per_second);
        let failures = f64::from(limits.failures_per_minute);
        Credentials {
            pool,
            known: RwLock::default(),
            asking: Mutex::new(()),
            rate: Rate::new(2.0 * per_second, per_second),
            failures: Rate::new(failures, failures / 60.0),
        }
    }

    /// Who asks: by the credential of the request, or anybody on this machine if the store has none.
    pub(crate) async fn caller(
        &self,
        operation: Operation,
        headers: &HeaderMap,
        origin: Origin,
        options: &Options,
    ) -> Result<Caller, Failure> {
        if operation.roles().is_empty() {
            return Ok(Caller::anybody());
        }
        let known = self.known().await?;
        let mut all_shown = headers.get_all(AUTHORIZATION).iter();
        let shown = match (all_shown.next(), all_shown.next()) {
            (Some(shown), None) => shown,
            (None, _) if known.is_empty() && origin.is_loopback() => return Ok(Caller::anybody()),
            (None, _) => return Err(unauthorized("the request shows no credential")),
            // Others on the way may take it for the request of another than we do.
            (Some(_), Some(_)) => return Err(unauthorized("the request shows two credentials")),
        };
        let shown = shown.to_str().ok().and_then(|shown| shown.split_once(' '));
        let secret = shown
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, secret)| Secret::read(secret.trim()));
        let Some(secret) = secret else {
            self.failures.take(network(origin))?;
            return Err(unauthorized("the credential is no bearer token of this engine"));
        };
        let mut found = known.get(secret.id()).cloned();
        let is_counted = found.is_none();
        if is_counted {
            // It may have been made just now. Counting first keeps guesses away from the store.
            self.failures.take(network(origin))?;
            found = self.ask(Duration::ZERO).await?.get(secret.id()).cloned();
        }
        let refused = |detail| {
            if !is_counted {
                self.failures.take(network(origin))?;
            }
            Err(unauthorized(detail))
        };
        let Some(found) = found.filter(|found| found.0.is(&secret)) else {
            return refused("nobody has this credential");
        };
        let (kept, caller) = &*found;
        if !kept.holds(options.clock.now()) {
            return refused(ENDED);
        }
        if let Some(principal) = &caller.principal {
            self.rate.take(principal.clone())?;
        }
        Ok(caller.clone())
    }

    /// Resolves when a caller that was permitted no longer would be, with what to answer: for answers
    /// that take long.
    pub(crate) async fn ended(&self, caller: &Caller, options: &Options) -> Failure {
        loop {
            sleep(LOOK).await;
            // While the store is away, nobody is cut off; requests to it fail by themselves.
            let Ok(known) = self.known().await else { continue };
            let holds = match &caller.principal {
                None => known.is_empty(),
                Some(principal) => known
                    .get(principal.as_str())
                    .is_some_and(|found| found.0.holds(options.clock.now())),
            };
            if !holds {
                return unauthorized(ENDED);
            }
        }
    }

    /// The credentials, from the cache if that is fresh.
    async fn known(&self) -> Result<Arc<Known>, Failure> {
        let (asked, known) = self.last_heard();
        match asked.map(|asked| asked.elapsed()) {
            Some(age) if age < FRESH => Ok(known),
            // Another request is asking the store already; until it knows, slightly older will do.
            Some(age) if age < 4 * FRESH && self.asking.try_lock().is_err() => Ok(known),
            Some(_) | None => self.ask(FRESH).await,
        }
    }

    /// Asks the store, unless another request did while this one waited, or within the last `age`.
    async fn ask(&self, age: Duration) -> Result<Arc<Known>, Failure> {
        let begun = Instant::now();
        let _asking = self.asking.lock().await;
        let (asked, known) = self.last_heard();
        if asked.is_some_and(|asked| asked >= begun || asked.elapsed() < age) {
            return Ok(known);
        }
        let asked = Instant::now();
        let kept = self.pool.credentials().await?.into_iter().map(|kept| {
            let caller = Caller::of(&kept);
            (kept.credential.id.to_string(), Arc::new((kept, caller)))
        });
        let known: Arc<Known> = Arc::new(kept.collect());
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = (Some(asked), known.clone());
        Ok(known)
    }

    fn last_heard(&self) -> (Option<Instant>, Arc<Known>) {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const ENDED: &str = "the credential expired or was revoked";

fn unauthorized(detail: &str) -> Failure {
    Failure::new(ProblemCode::Unauthorized, detail)
}

/// The address that failures are counted for. Of IPv6 it is the /64 network, since one caller commonly
/// has all of it.
fn network(origin: Origin) -> Option<IpAddr> {
    origin.address.map(|address| match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    })
}
