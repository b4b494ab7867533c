//! Every generated type, with what the tests do to each: read a text and write it back, and go
//! over to the other profile.

use license_types::schemas::Profile;
use license_types::{documented, observed};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A generated type.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// The profiles that it serves: one, or both where they share it.
    pub(crate) profiles: &'static [Profile],
    /// Reads a text, and writes what was read.
    pub(crate) read: fn(&str) -> Result<String, String>,
    /// Whether the type converts what it reads to the other profile without loss; none where both
    /// profiles share one type.
    pub(crate) convert: Option<fn(&str) -> bool>,
}

fn read<T: DeserializeOwned + Serialize>(text: &str) -> Result<String, String> {
    let value: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(serde_json::to_string(&value).expect("what was read can be written"))
}

/// The same type in both profiles.
fn shared<T: DeserializeOwned + Serialize>(name: &'static str) -> Entry {
    Entry { name, profiles: &Profile::ALL, read: read::<T>, convert: None }
}

/// A type of its own in each profile.
fn two<D, O>(name: &'static str) -> Vec<Entry>
where
    D: DeserializeOwned + Serialize + Clone + PartialEq + TryFrom<O>,
    O: DeserializeOwned + Serialize + Clone + PartialEq + From<D>,
{
    vec![
        Entry {
            name,
            profiles: &[Profile::Documented],
            read: read::<D>,
            convert: Some(|text| {
                let value: D = serde_json::from_str(text).unwrap();
                D::try_from(O::from(value.clone())).is_ok_and(|back| back == value)
            }),
        },
        Entry {
            name,
            profiles: &[Profile::Observed],
            read: read::<O>,
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
        shared: AdoptedEvent, Availability, Batch, ClockCorrectedEvent, Count, Day, DescribedEvent,
            Digest, Entry, Event, HostType, HttpStatus, InstallReceipt, InstallStatus,
            InstalledEvent, Lease, LeaseSeconds, LedgerCheck, LicenseKey, Month, MovedEvent,
            Principal, Problem, ProblemCode, ProductChange, ProductId, Reason, RefusalCode,
            RefusedEvent, ReleaseCause, ReleaseReceipt, Released, ReleasedEvent, RenewReceipt,
            RenewRequest, RetainReceipt, RetainRequest, RetainedEvent, RightCount, Seconds,
            Sequence, ServerName, SessionId, SessionState, StateChangedEvent, StoreCheck, Token,
            UserId, Uuid, Violation, Year;
        two: ClientSession, DateTime, LicenseDate, LicenseInfo, LicensedProduct, RestSession,
            Retention, Right, Session, SessionType, SqlSession;
    };
    let mut list = |name, profiles, read: fn(&str) -> _| {
        all.push(Entry { name, profiles, read, convert: None });
    };
    list("LicenseUsage", &[Profile::Documented], read::<documented::LicenseUsage>);
    list("LicenseUsage", &[Profile::Observed], read::<observed::LicenseUsage>);
    list("LicenseInfoDocument", &[Profile::Documented], read::<documented::LicenseInfoDocument>);
    list("LicenseInfoDocument", &[Profile::Observed], read::<observed::LicenseInfoDocument>);
    all
}
