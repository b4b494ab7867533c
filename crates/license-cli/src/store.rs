//! [`Licenses`] on a store, by a pool that acts as the reserved server `local`.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use license_pool::{
    ChainCheck, Clock, CopyError, CopyOptions, Error, InstallError, InstallOptions, LOCAL,
    OpenError, Options, Pool, Refusal, Release, Retain, Selection, StoreUrl, Target, explained,
};
use license_types::{
    Availability, ClockCorrection, Entry, InstallReceipt, LicenseInfo, ProblemCode, ProductDay,
    ProductId, ReleaseReceipt, RenewReceipt, RetainReceipt, ServerName, ServerStatus, SessionId,
    SessionState, StoreCheck, StoreCopy, Token,
};

use crate::failure::Failure;
use crate::licenses::{EachPage, Held, Installation, Licenses, RetainSeat, Seat, Wanted};

/// The hint for a store that was sealed.
const SEALED: &str = "name the other with --store or LICENSE_STORE; this one can only be read";

/// What to do if the store does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Create one: only installing a license does.
    Created,
    /// Fail and name the place.
    Fails,
}

/// Opens the store; `number` names one of its licenses.
pub(crate) fn open(
    url: &StoreUrl,
    password: Option<String>,
    missing: Missing,
    number: Option<String>,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Licenses>, Failure> {
    let options = options(password).clock(clock);
    let options = match missing {
        Missing::Created => options,
        Missing::Fails => options.must_exist(),
    };
    let pool = options.open_url(url).map_err(|error| not_opened(url, &error))?;
    Ok(Box::new(Store { pool: of_license(pool, number) }))
}

/// The pool, acting on the license of this number if there is one.
fn of_license(pool: Pool, number: Option<String>) -> Pool {
    match number {
        Some(number) => pool.license(number),
        None => pool,
    }
}

/// Copies a whole store; calls `reached` with how many entries were copied, and how many there are.
pub(crate) fn copy(
    from: &StoreUrl,
    to: &StoreUrl,
    options: &CopyOptions,
    reached: impl FnMut(u64, u64),
) -> Result<StoreCopy, Failure> {
    license_pool::copy(from, to, options, reached).map_err(|error| match &error {
        CopyError::Source(reason) => not_opened(from, reason),
        CopyError::Target(OpenError::Occupied { .. }) | CopyError::Memory => {
            Failure::because(ProblemCode::BadRequest, &error)
        }
        CopyError::Target(reason) => not_opened(to, reason),
        CopyError::Read(_) | CopyError::Write(_) | CopyError::NoTable(_) | CopyError::Restless => {
            Failure::because(ProblemCode::StoreUnavailable, &error)
                .hint("the same command begins anew")
        }
    })
}

/// Appends to the history of every license that the store's clock is right.
pub(crate) fn correct_clock(pool: &Pool) -> Result<ClockCorrection, Failure> {
    let mut time = pool.clock_state().wait().map_err(|error| failure(&error))?.now;
    let license_numbers = pool.licenses().map_err(|error| failure(&error))?;
    for number in &license_numbers {
        let corrected = pool.license(number.as_str()).correct_clock().wait();
        time = corrected.map_err(|error| failure(&error))?.now;
    }
    Ok(ClockCorrection { time: time.into(), license_numbers })
}

/// Whether a store that outlives the command is still to be created.
pub(crate) fn is_missing(url: &StoreUrl, password: Option<String>) -> Result<bool, Failure> {
    match url {
        StoreUrl::Memory => Ok(false),
        StoreUrl::Sqlite(path) => Ok(!path.exists()),
        StoreUrl::Postgres(_) => match options(password).must_exist().open_url(url) {
            Ok(_) => Ok(false),
            Err(OpenError::Missing { .. }) => Ok(true),
            Err(error) => Err(not_opened(url, &error)),
        },
    }
}

/// Opens the store to serve it; creates it if it does not exist.
pub(crate) fn serving(
    url: &StoreUrl,
    password: Option<String>,
    options: Options,
) -> Result<Pool, Failure> {
    with_password(options, password).open_url(url).map_err(|error| not_opened(url, &error))
}

/// Opens a store that must exist, to act on it as a one-shot command.
pub(crate) fn existing(
    url: &StoreUrl,
    password: Option<String>,
    clock: Arc<dyn Clock>,
) -> Result<Pool, Failure> {
    let options = options(password).clock(clock).must_exist();
    options.open_url(url).map_err(|error| not_opened(url, &error))
}

/// The options of a one-shot command.
fn options(password: Option<String>) -> Options {
    let local = ServerName::new(LOCAL).expect("`local` is a server name");
    with_password(Pool::options().server(local), password)
}

fn with_password(options: Options, password: Option<String>) -> Options {
    match password {
        Some(password) => options.password(password),
        None => options,
    }
}

/// Retains for a program that runs, as a server of its own under a fresh name. The seat dies with this
/// process: any server of the store that notices releases it.
pub(crate) fn seats(
    url: StoreUrl,
    password: Option<String>,
    number: Option<String>,
    clock: Arc<dyn Clock>,
) -> RetainSeat {
    Box::new(move |wanted, wait, _| {
        let options = with_password(Pool::options().must_exist().clock(clock), password);
        let pool = options.open_url(&url).map_err(|error| not_opened(&url, &error))?;
        let pool = of_license(pool, number);
        let granted = pool.grant(request(wanted), Some(wait)).wait();
        let token = granted.map_err(|error| failure(&error))?.held.record.token;
        Ok(Box::new(PoolSeat { pool, token }))
    })
}

/// A retention without a lease, that lasts as long as this process: the pool vouches for it.
struct PoolSeat {
    pool: Pool,
    token: Token,
}

impl Seat for PoolSeat {
    fn release(self: Box<Self>) -> Result<(), Failure> {
        let release = Release::new(Target::Token(self.token));
        match self.pool.release_with(release).wait() {
            // Somebody else released it before.
            Err(Error::Refused(Refusal::NotRetained { .. })) => Ok(()),
            released => released.map(drop).map_err(|error| failure(&error)),
        }
    }
}

fn request(wanted: Wanted) -> Retain {
    let Wanted { product, session, reason, description } = wanted;
    let mut retain = Retain::new(product, session, description);
    retain.reason = Arc::new(reason);
    retain
}

struct Store {
    pool: Pool,
}

impl Licenses for Store {
    fn install(&mut self, install: &Installation<'_>) -> Result<InstallReceipt, Failure> {
        let options = InstallOptions {
            replaces: install.replaces.map(str::to_owned),
            dry_run: install.dry_run,
        };
        self.pool.install_with(install.document, options).wait().map_err(|error| match &error {
            Error::Document(reason) => not_a_license(install.source, reason),
            _ => failure(&error),
        })
    }

    fn info(&mut self) -> Result<Option<LicenseInfo>, Failure> {
        self.pool.info().map_err(|error| failure(&error))
    }

    fn usage(&mut self, server: Option<&ServerName>, _: bool) -> Result<Vec<Held>, Failure> {
        let held =
            self.pool.held(server.map(ServerName::as_str)).map_err(|error| failure(&error))?;
        let server = |held: &license_pool::Held| Some((*held.server).clone());
        Ok(held
            .iter()
            .map(|held| Held { server: server(held), retention: held.retention() })
            .collect())
    }

    fn availability(&mut self, product: ProductId) -> Result<Availability, Failure> {
        self.pool.availability(product).map_err(|error| failure(&error))
    }

    fn retain(&mut self, wanted: Wanted) -> Result<RetainReceipt, Failure> {
        let seat =
            self.pool.retain_with(request(wanted)).wait().map_err(|error| failure(&error))?;
        let receipt = seat.receipt();
        seat.keep();
        Ok(receipt)
    }

    fn renew(
        &mut self,
        session: &SessionId,
        state: Option<SessionState>,
    ) -> Result<RenewReceipt, Failure> {
        self.pool.renew(session.as_str(), state).map_err(|error| failure(&error))
    }

    fn release(&mut self, target: Target) -> Result<ReleaseReceipt, Failure> {
        self.pool.release_with(Release::new(target)).wait().map_err(|error| failure(&error))
    }

    fn holding(&mut self, session: &SessionId) -> Result<Vec<Token>, Failure> {
        let held = self.pool.held(None).map_err(|error| failure(&error))?;
        let of_session = held.iter().filter(|held| *held.record.session == *session);
        Ok(of_session.map(|held| held.record.token).collect())
    }

    fn first(&mut self) -> Result<Option<Entry>, Failure> {
        let first = self.pool.page(0, 1).wait().map_err(|error| failure(&error))?;
        Ok(first.into_iter().next())
    }

    fn history(&mut self, wanted: Selection, each: EachPage<'_>) -> Result<(), Failure> {
        let mut history = self.pool.select(wanted);
        while let Some(page) = history.page().map_err(|error| failure(&error))? {
            each(page)?;
        }
        Ok(())
    }

    fn verify(&mut self, reached: &mut dyn FnMut(u64)) -> Result<ChainCheck, Failure> {
        self.pool.verify_chain(reached).map_err(|error| failure(&error))
    }

    fn days(&mut self, time: Range<Timestamp>) -> Result<Vec<ProductDay>, Failure> {
        self.pool.days(time).wait().map_err(|error| failure(&error))
    }

    fn successor(&mut self) -> Result<Option<String>, Failure> {
        self.pool.successor().wait().map_err(|error| failure(&error))
    }

    fn servers(&mut self) -> Result<Vec<ServerStatus>, Failure> {
        self.pool.servers().wait().map_err(|error| failure(&error))
    }

    fn check(&mut self) -> Result<StoreCheck, Failure> {
        self.pool.check().map_err(|error| failure(&error))
    }
}

/// Why a store was not opened, with the exit code and hints of this program.
fn not_opened(url: &StoreUrl, error: &OpenError) -> Failure {
    let failure = |code| Failure::because(code, error);
    match error {
        OpenError::Missing { .. } => {
            failure(ProblemCode::StoreUnavailable).hint("--store or LICENSE_STORE names another")
        }
        OpenError::Unavailable { .. } => {
            let failure = failure(ProblemCode::StoreUnavailable);
            match missing_folder(url) {
                Some(folder) => failure.hint(format!("create the folder {folder} first")),
                None => failure,
            }
        }
        OpenError::Sealed { .. } => failure(ProblemCode::StoreUnavailable).hint(SEALED),
        OpenError::Foreign { .. }
        | OpenError::Unfinished { .. }
        | OpenError::Occupied { .. }
        | OpenError::Newer { .. }
        | OpenError::Unreadable { .. }
        | OpenError::FileSystem { .. }
        | OpenError::Register(_) => failure(ProblemCode::StoreUnavailable),
        OpenError::Url(_) | OpenError::Thread(_) => failure(ProblemCode::Internal),
    }
}

/// The folder for the store's file, if it does not exist.
fn missing_folder(url: &StoreUrl) -> Option<String> {
    match url {
        StoreUrl::Memory | StoreUrl::Postgres(_) => None,
        StoreUrl::Sqlite(path) => {
            let folder = path.parent().filter(|folder| !folder.exists())?;
            Some(folder.display().to_string())
        }
    }
}

/// Why a document is no license, with the exit code of this program.
pub(crate) fn not_a_license(source: &str, reason: &InstallError) -> Failure {
    let code = match reason {
        InstallError::NotText { .. } | InstallError::Json { .. } | InstallError::Signed { .. } => {
            ProblemCode::BadRequest
        }
        InstallError::Shape { .. }
        | InstallError::NoSuchDate { .. }
        | InstallError::RepeatedProduct { .. }
        | InstallError::ReservedNumber { .. }
        | InstallError::LongNumber { .. } => ProblemCode::SchemaViolation,
    };
    Failure::new(code, format!("{source}: {}", explained(reason)))
}

/// Why a request to the pool failed, with the exit code and hints of this program.
pub(crate) fn failure(error: &Error) -> Failure {
    match error {
        Error::Refused(refusal) => refused(refusal),
        Error::Input(_)
        | Error::TooLong { .. }
        | Error::NumberTaken { .. }
        | Error::Signature(_) => Failure::because(ProblemCode::BadRequest, error),
        Error::NumberReplaced { by, .. } => Failure::because(ProblemCode::BadRequest, error)
            .hint(format!("--replaces {by} says so")),
        Error::Document(reason) => not_a_license("the document", reason),
        Error::AmbiguousLicense { numbers } => {
            Failure::because(ProblemCode::AmbiguousLicense, error).license_numbers(numbers)
        }
        Error::LedgerFaulted { .. } => Failure::because(ProblemCode::LedgerFaulted, error),
        Error::StoreUnavailable(_) | Error::Fenced(_) => {
            Failure::because(ProblemCode::StoreUnavailable, error)
        }
        Error::Sealed { .. } => Failure::because(ProblemCode::StoreUnavailable, error).hint(SEALED),
        Error::StoreBusy(_) => Failure::because(ProblemCode::StoreBusy, error),
        Error::ClockSkew { .. } => Failure::because(ProblemCode::ClockSkew, error),
        Error::QueueFull { .. } => Failure::because(ProblemCode::QueueFull, error),
        Error::OutcomeUnknown(_) => Failure::because(ProblemCode::OutcomeUnknown, error),
        Error::Closed | Error::Internal(_) => Failure::because(ProblemCode::Internal, error),
    }
}

fn refused(refusal: &Refusal) -> Failure {
    let failure = Failure::because(refusal.code(), refusal);
    match refusal {
        Refusal::NoLicenseLeft { allowed_count, used_count, .. } => {
            failure.counts(*allowed_count, *used_count)
        }
        Refusal::InUse { .. }
        | Refusal::UnknownLicense { .. }
        | Refusal::NotPermitted { .. }
        | Refusal::NotRetained { .. }
        | Refusal::UnknownProduct { .. }
        | Refusal::OverMaximum { .. }
        | Refusal::LicenseExpired { .. } => failure,
    }
}
