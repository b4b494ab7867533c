//! License documents: what is installed, parsed into a value that cannot be wrong.

use std::{collections::BTreeMap, sync::Arc};

use license_types::{FromJson, LicenseDate, LicenseInfo, ProductId};

use crate::{
    Digest, read,
    rights::{Expiry, Right},
};

/// A license document that can be installed: its exact text, and what it grants.
#[derive(Debug, PartialEq)]
pub struct License {
    info: LicenseInfo,
    text: Arc<str>,
    digest: Digest,
    pub(crate) expires: Option<Expiry>,
    pub(crate) grants: Vec<Grant>,
}

/// What a license grants of one product.
#[derive(Debug, PartialEq)]
pub(crate) struct Grant {
    pub(crate) product: ProductId,
    pub(crate) name: Arc<str>,
    pub(crate) rights: Arc<[Right]>,
}

/// Why a document cannot be installed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InstallError {
    /// It is not text.
    #[error("byte {at} is not UTF-8: a license is a JSON text in UTF-8")]
    NotText {
        /// Place of the byte, from 0.
        at: usize,
    },
    /// It is not JSON, or a member occurs twice.
    #[error("{message} (line {line}, column {column})")]
    Json {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It looks signed; reading it as unsigned would pass over the signature.
    #[error("the member `{member}` marks a signed license, which this version cannot verify")]
    Signed {
        /// The member that gives it away.
        member: &'static str,
    },
    /// It is not of the License info shape.
    #[error("{message} (at `{at}`)")]
    Shape {
        /// JSON Pointer of the place.
        at: String,
        /// What is wrong there.
        message: String,
    },
    /// The calendar has no such day.
    #[error("{year:04}-{month:02}-{day:02} is no day of the calendar (at `{at}`)")]
    NoSuchDate {
        /// JSON Pointer of the date.
        at: String,
        /// Its day.
        day: u64,
        /// Its month.
        month: u64,
        /// Its year.
        year: u64,
    },
    /// A product is listed twice.
    #[error(
        "product {} is listed already: list it once, with all its rights (at `{at}`)",
        .product.human()
    )]
    RepeatedProduct {
        /// JSON Pointer of the second one.
        at: String,
        /// The product.
        product: ProductId,
    },
    /// The number would name something else in an address.
    #[error("`{number}` cannot be the number of a license (at `/licenseNumber`)")]
    ReservedNumber {
        /// The number.
        number: String,
    },
    /// The number is longer than any that a request can name.
    #[error("the number has {characters} characters, more than {most} (at `/licenseNumber`)")]
    LongNumber {
        /// Characters that it has.
        characters: usize,
        /// Characters that it may have.
        most: usize,
    },
}

impl License {
    /// No request names a longer number.
    pub const NUMBER_MAX: usize = 255;

    /// Reads a document of the License info shape, documented profile. A byte-order mark and `//`
    /// comments are accepted; `usedCount` and `allowedCount` are not believed, only compared when
    /// the license is installed.
    ///
    /// # Errors
    /// See [`InstallError`]; each names the place.
    ///
    /// ```
    /// use license_core::{InstallError, License, SAMPLE_LICENSE};
    ///
    /// assert_eq!(License::parse(SAMPLE_LICENSE.as_bytes())?.number(), "SAMPLE-0001");
    ///
    /// let february = SAMPLE_LICENSE.replace(r#""day": 1, "month": 2"#, r#""day": 31, "month": 2"#);
    /// let error = License::parse(february.as_bytes()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "2045-02-31 is no day of the calendar (at `/products/0/rights/0/expirationDate`)"
    /// );
    /// # Ok::<(), InstallError>(())
    /// ```
    pub fn parse(document: &[u8]) -> Result<License, InstallError> {
        let text = str::from_utf8(document)
            .map_err(|error| InstallError::NotText { at: error.valid_up_to() })?;
        let value = read::strict(text).map_err(not_json)?;
        if let Some(member) = ["payload", "sig"].into_iter().find(|name| value.get(name).is_some())
        {
            return Err(InstallError::Signed { member });
        }
        let info = LicenseInfo::parse(value).map_err(|error| InstallError::Shape {
            at: error.at().to_owned(),
            message: error.message().to_owned(),
        })?;
        if !addressable(&info.license_number) {
            return Err(InstallError::ReservedNumber { number: info.license_number });
        }
        Ok(License {
            expires: expiry(info.expiration_date.as_ref(), || "/expirationDate".to_owned())?,
            grants: grants(&info)?,
            text: text.into(),
            digest: Digest::of(document),
            info,
        })
    }

    /// The license as it may be installed: under a number that requests can name.
    /// [`parse`](Self::parse) reads longer ones too, since a log may hold some.
    ///
    /// # Errors
    /// [`InstallError::LongNumber`].
    ///
    /// ```
    /// use license_core::{InstallError, License, SAMPLE_LICENSE};
    ///
    /// let long = SAMPLE_LICENSE.replace("SAMPLE-0001", &"9".repeat(256));
    /// let license = License::parse(long.as_bytes())?;
    /// assert!(matches!(license.to_install(), Err(InstallError::LongNumber { .. })));
    /// # Ok::<(), InstallError>(())
    /// ```
    pub fn to_install(self) -> Result<License, InstallError> {
        let (characters, most) = (self.number().chars().count(), License::NUMBER_MAX);
        match characters > most {
            true => Err(InstallError::LongNumber { characters, most }),
            false => Ok(self),
        }
    }

    /// The license's number.
    pub fn number(&self) -> &str {
        &self.info.license_number
    }

    /// The document as a typed value, with the counters that it came with.
    pub fn info(&self) -> &LicenseInfo {
        &self.info
    }

    /// The exact text of the document.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the exact bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Whether a number can stand in an address, where `active` means the only license.
fn addressable(number: &str) -> bool {
    !["", ".", "..", "active"].contains(&number)
        && !number.contains(|character: char| character == '/' || character.is_control())
}

fn not_json(error: serde_json::Error) -> InstallError {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let place = format!(" at line {line} column {column}");
    InstallError::Json { message: message.replace(&place, ""), line, column }
}

fn grants(info: &LicenseInfo) -> Result<Vec<Grant>, InstallError> {
    let mut seen = BTreeMap::new();
    let mut grants = Vec::with_capacity(info.products.len());
    for (index, product) in info.products.iter().enumerate() {
        let at = format!("/products/{index}");
        if seen.insert(product.id, index).is_some() {
            return Err(InstallError::RepeatedProduct { at, product: product.id });
        }
        let mut rights = Vec::with_capacity(product.rights.len());
        for (index, right) in product.rights.iter().enumerate() {
            let at = || format!("{at}/rights/{index}/expirationDate");
            let expires = expiry(right.expiration_date.as_ref(), at)?;
            rights.push(Right { count: right.count.get(), expires });
        }
        let name = product.name.as_str().into();
        grants.push(Grant { product: product.id, name, rights: rights.into() });
    }
    Ok(grants)
}

fn expiry(
    date: Option<&LicenseDate>,
    at: impl FnOnce() -> String,
) -> Result<Option<Expiry>, InstallError> {
    let Some(date) = date else { return Ok(None) };
    Expiry::new(date).map(Some).ok_or_else(|| InstallError::NoSuchDate {
        at: at(),
        day: date.day.get(),
        month: date.month.get(),
        year: date.year.get(),
    })
}
