//! Every generated type, with what the tests do to each: read a text and write it back, and go
//! over to the other profile.

use license_types::schemas::Profile;
use license_types::{documented, observed};
use schemars::JsonSchema;
use schemars::generate::{Contract, SchemaSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A generated type.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// The profiles that it serves: one, or both where they share it.
    pub(crate) profiles: &'static [Profile],
    /// Reads a text, and writes what was read.
    pub(crate) read: fn(&str) -> Result<String, String>,
    /// The schema that is derived back from the type.
    pub(crate) derive: fn(Contract) -> Value,
    /// Whether the type converts what it reads to the other profile without loss; none where both
    /// profiles share one type.
    pub(crate) convert: Option<fn(&str) -> bool>,
}

fn read<T: DeserializeOwned + Serialize>(text: &str) -> Result<String, String> {
    let value: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(serde_json::to_string(&value).expect("what was read can be written"))
}

fn derive<T: JsonSchema>(contract: Contract) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| it.contract = contract);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// A type that needs no conversion.
fn root<T: DeserializeOwned + Serialize + JsonSchema>(
    name: &'static str,
    profiles: &'static [Profile],
) -> Entry {
    Entry { name, profiles, read: read::<T>, derive: derive::<T>, convert: None }
}

/// The same type in both profiles.
fn shared<T: DeserializeOwned + Serialize + JsonSchema>(name: &'static str) -> Entry {
    root::<T>(name, &Profile::ALL)
}

/// A type of its own in each profile.
fn two<D, O>(name: &'static str) -> Vec<Entry>
where
    D: DeserializeOwned + Serialize + JsonSchema + Clone + PartialEq + TryFrom<O>,
    O: DeserializeOwned + Serialize + JsonSchema + Clone + PartialEq + From<D>,
{
    vec![
        Entry {
            name,
            profiles: &[Profile::Documented],
            read: read::<D>,
            derive: derive::<D>,
            convert: Some(|text| {
                let value: D = serde_json::from_str(text).unwrap();
                D::try_from(O::from(value.clone())).is_ok_and(|back| back == value)
            }),
        },
        Entry {
            name,
            profiles: &[Profile::Observed],
            read: read::<O>,
            derive: derive::<O>,
            convert: Some(|text| {
                let value: O = serde_json::from_str(text).unwrap();
                D::try_from(value.clone()).is_ok_and(|narrow| O::from(narrow) == value)
            }),
        },
    ]
}

macro_rules! catalog {
    (shared: $($shared:ident),*; two: $($two:ident),*;) => {{
        let mut all = vec![$(shared::<documented::$shared>(stringify!($shared))),*];
        $(all.extend(two::<documented::$two, observed::$two>(stringify!($two)));)*
        all
    }};
}

/// All of them.
pub(crate) fn catalog() -> Vec<Entry> {
    let mut all = catalog! {
        shared: AdoptedEvent, Availability, Batch, ClockCorrectedEvent, ClockCorrection, Count, Credential, CredentialReceipt, CredentialRole, Date, Day, DescribedEvent,
            Digest, Entry, Event, Health, HealthStatus, HostType, HttpStatus, InstallReceipt, InstallStatus,
            InstalledEvent, Lease, LeaseSeconds, LedgerCheck, LicenseKey, LicenseSummary, Month, MonthName, LogReset, MovedEvent,
            PeriodName, Principal, Problem, ProblemCode, ProductChange, ProductDay, ProductId, ProductMonth, Reason, RefusalCode,
            RefusedEvent, ReleaseCause, ReleaseReceipt, Released, ReleasedEvent, RenewListReceipt,
            RenewListRequest, RenewReceipt, RenewRequest, RenewResult, RenewedLease, ReportPeriod, ReportSourceKind, RetainReceipt, RetainRequest, RetainedEvent, RightCount, SchemaList, Seconds,
            Sequence, ServerName, ServerState, ServerStatus, SessionId, SessionRenewal, SessionState, StateChangedEvent, StoreCheck, StoreCopy, Token,
            UninstallReceipt, UninstalledEvent, UsageFigures, UsageReport, UsageReportSource, UserId, Uuid, Violation, ViolationKind,
            ViolationSummary, Year;
        two: ClientSession, DateTime, LicenseDate, LicenseInfo, LicensedProduct, RestSession,
            Retention, Right, Session, SessionType, SqlSession;
    };
    all.extend([
        root::<documented::CredentialList>("CredentialList", &Profile::ALL),
        root::<documented::LicenseReport>("LicenseReport", &Profile::ALL),
        root::<documented::MonthReport>("MonthReport", &Profile::ALL),
        root::<documented::ServerList>("ServerList", &Profile::ALL),
        root::<documented::LicenseList>("LicenseList", &Profile::ALL),
        root::<documented::LicenseUsage>("LicenseUsage", &[Profile::Documented]),
        root::<observed::LicenseUsage>("LicenseUsage", &[Profile::Observed]),
        root::<documented::LicenseInfoDocument>("LicenseInfoDocument", &[Profile::Documented]),
        root::<observed::LicenseInfoDocument>("LicenseInfoDocument", &[Profile::Observed]),
    ]);
    all
}
