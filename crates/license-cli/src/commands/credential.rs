//! `license credential`: makes, lists and revokes the credentials that servers of a store accept.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_pool::{KeptCredential, Pool};
use license_types::{Credential, CredentialReceipt, DateTime, ProblemCode};

use crate::arguments::{CreateCredential, CredentialCommand, Credentials, RevokeCredential};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Rows;
use crate::store::failure;

pub(super) fn run(arguments: &Credentials, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    match &arguments.command {
        CredentialCommand::Create(arguments) => create(arguments, context),
        CredentialCommand::List => list(context),
        CredentialCommand::Revoke(arguments) => revoke(arguments, context),
    }
}

fn create(arguments: &CreateCredential, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let CreateCredential { role, expires, max_seats } = arguments;
    let now = context.env.clock.now();
    let expires = expires.map(|expires| expires.end(&TimeZone::UTC));
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Failure::usage("--expires lies in the past"));
    }
    let pool = context.store()?;
    let (kept, secret) = KeptCredential::make(*role, *max_seats, now, expires)
        .map_err(|error| Failure::internal(format!("there are no random numbers: {error}")))?;
    pool.keep_credential(kept.clone()).wait().map_err(|error| failure(&error))?;
    let receipt =
        CredentialReceipt { credential: kept.credential, secret: secret.reveal().to_owned() };
    if context.json() {
        context.value(&receipt)?;
    } else {
        context.data(&format!("{}\n", receipt.secret))?;
        context.say(&format!(
            "made credential {} ({role}); its secret is shown this once: put it into a file that \
             only its holder can read",
            receipt.credential.id
        ));
    }
    Ok(Exit::Done)
}

fn list(context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let kept = kept(&context.store()?)?;
    let now = context.env.clock.now();
    if context.json() {
        let list: Vec<Credential> = kept.into_iter().map(|kept| kept.credential).collect();
        context.value(&list)?;
        return Ok(Exit::Done);
    }
    if kept.is_empty() {
        context.say("the store has no credential\nhint: `license credential create` makes one");
        return Ok(Exit::Done);
    }
    let headings = ["credential", "role", "max seats", "made", "state"];
    let mut rows = Rows::new(&headings, context.width()).right_aligned(2..3);
    for kept in &kept {
        let Credential { id, role, max_seats, created_at, .. } = &kept.credential;
        let seats = max_seats.map_or(String::new(), |seats| seats.to_string());
        let made = crate::output::time(created_at);
        rows.row([id.as_str(), role.as_str(), &seats, &made, &state(kept, now)]);
    }
    context.data(&rows.text())?;
    Ok(Exit::Done)
}

fn state(kept: &KeptCredential, now: Timestamp) -> String {
    let Credential { expires_at, revoked_at, .. } = &kept.credential;
    match (revoked_at, expires_at, kept.holds(now)) {
        (Some(at), _, _) => format!("revoked {}", crate::output::time(at)),
        (None, Some(at), false) => format!("expired {}", crate::output::time(at)),
        (None, Some(at), true) => format!("until {}", crate::output::time(at)),
        (None, None, _) => "in force".to_owned(),
    }
}

fn revoke(arguments: &RevokeCredential, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let pool = context.store()?;
    let id = &arguments.id;
    let found = kept(&pool)?.into_iter().find(|kept| kept.credential.id == *id);
    let Some(mut kept) = found else {
        return Err(Failure::new(ProblemCode::NotFound, format!("there is no credential {id}"))
            .hint("`license credential list` shows them"));
    };
    if kept.credential.revoked_at.is_none() {
        kept.credential.revoked_at = Some(DateTime::from(context.env.clock.now()));
        pool.keep_credential(kept.clone()).wait().map_err(|error| failure(&error))?;
    }
    if context.json() {
        context.value(&kept.credential)?;
    } else {
        context.data(&format!("revoked {id}; what its sessions hold stays until released\n"))?;
    }
    Ok(Exit::Done)
}

fn kept(pool: &Pool) -> Result<Vec<KeptCredential>, Failure> {
    pool.credentials().wait().map_err(|error| failure(&error))
}
