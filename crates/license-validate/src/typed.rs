//! Any JSON in, a typed value or every violation out.

use license_types::{Count, FromJson, Violation, documented, observed, schemas::Profile};

use crate::{malformed::Malformed, place::Place, text, validator::Validator};

/// A type that a whole document is read as: the root of an embedded schema.
pub trait Document: FromJson {
    /// Name of the schema.
    const SCHEMA: &'static str;
    /// Profile in which the type reads it.
    const PROFILE: Profile;
}

/// Reads a document: a typed value, or every violation of its schema.
///
/// ```
/// use license_types::{LicenseUsage, observed};
/// use license_validate::{Unfit, parse};
///
/// let usage: LicenseUsage = parse(b"[]")?;
/// assert!(usage.is_empty());
///
/// // A report that is null is read where it is observed; we write none.
/// assert_eq!(parse::<observed::LicenseUsage>(b"null")?, None);
/// let Err(Unfit::Violations(violations)) = parse::<LicenseUsage>(b"null") else { panic!() };
/// assert_eq!(violations[0].message, "null is not an array");
/// # Ok::<(), Unfit>(())
/// ```
///
/// # Errors
/// [`Unfit`] where `document` is not JSON, or not of that type.
pub fn parse<T: Document>(document: &[u8]) -> Result<T, Unfit> {
    let text = text::document(document)?;
    // A type accepts what its schema accepts, so the schema only explains what the type refuses.
    let error = match T::parse(text::parse(text, Place::START)?) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let validator = Validator::new(T::SCHEMA, T::PROFILE).expect("a type's schema is embedded");
    let mut violations = validator.check(document)?;
    if violations.is_empty() {
        let unknown = || Count::new(0).expect("0 is a count");
        violations.push(Violation {
            file: None,
            instance_path: error.at().to_owned(),
            schema_path: String::new(),
            line: unknown(),
            column: unknown(),
            message: error.message().to_owned(),
            shape: error.shape().map(str::to_owned),
        });
    }
    Err(Unfit::Violations(violations))
}

/// Why a document is no value of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not JSON.
    #[error("the document is no JSON")]
    Malformed(#[from] Malformed),
    /// It is not what the schema asks for; at least one.
    #[error("the document breaks its schema in {} places", .0.len())]
    Violations(Vec<Violation>),
}

macro_rules! documents {
    ($($schema:literal, $profile:ident: $($type:ident)::+;)*) => {
        $(impl Document for $($type)::+ {
            const SCHEMA: &'static str = $schema;
            const PROFILE: Profile = Profile::$profile;
        })*
    };
}

documents! {
    "availability", Documented: documented::Availability;
    "credential", Documented: documented::Credential;
    "credential-list", Documented: documented::CredentialList;
    "credential-receipt", Documented: documented::CredentialReceipt;
    "entry", Documented: documented::Entry;
    "health", Documented: documented::Health;
    "install-receipt", Documented: documented::InstallReceipt;
    "license-info", Documented: documented::LicenseInfoDocument;
    "license-info", Observed: observed::LicenseInfoDocument;
    "license-list", Documented: documented::LicenseList;
    "license-report", Documented: documented::LicenseReport;
    "license-usage", Documented: documented::LicenseUsage;
    "license-usage", Observed: observed::LicenseUsage;
    "log-reset", Documented: documented::LogReset;
    "problem", Documented: documented::Problem;
    "release-receipt", Documented: documented::ReleaseReceipt;
    "renew-list-receipt", Documented: documented::RenewListReceipt;
    "renew-list-request", Documented: documented::RenewListRequest;
    "renew-receipt", Documented: documented::RenewReceipt;
    "renew-request", Documented: documented::RenewRequest;
    "retain-receipt", Documented: documented::RetainReceipt;
    "retain-request", Documented: documented::RetainRequest;
    "retention", Documented: documented::Retention;
    "retention", Observed: observed::Retention;
    "schema-list", Documented: documented::SchemaList;
    "server-list", Documented: documented::ServerList;
    "server-status", Documented: documented::ServerStatus;
    "session", Documented: documented::Session;
    "session", Observed: observed::Session;
    "store-check", Documented: documented::StoreCheck;
    "uninstall-receipt", Documented: documented::UninstallReceipt;
    "usage-report", Documented: documented::UsageReport;
    "violation", Documented: documented::Violation;
    "violation-summary", Documented: documented::ViolationSummary;
}
