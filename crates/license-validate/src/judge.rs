//! Judges whole streams: one document or the records of many, in memory that does not grow.

use std::{
    io::{self, Read},
    ops::{AddAssign, ControlFlow},
    sync::LazyLock,
};

use license_types::{Violation, schemas::Profile};
use memchr::memmem::Finder;
use serde_json::Value;

use crate::{
    breach, bytes, generated,
    malformed::{Malformed, Problem},
    rules::{Rules, Ruling},
    text,
    units::{Cut, Role, Unit, Units},
    validator::{INFO, RETENTION, USAGE, UnknownSchema, Validator},
};

/// Bytes that one record may have, unless told otherwise.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Judges streams of JSON.
///
/// The schema is chosen by the shape of what is read, unless it is named: an array or null is a
/// usage report, an object with `products` a license info. A usage report is judged element by
/// element, NDJSON record by record, so memory holds one of them at a time, however long the
/// stream. Several values in one stream are NDJSON, also where they span lines.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use license_validate::{Judge, Notice, Profile};
///
/// let report = br#"[
///     {"productId": 808464441, "productName": "4D Client", "productUsedCount": 1,
///      "productBalance": 9, "token": 1, "time": "2021-12-01T15:36+01:00", "reason": "CLIENT",
///      "session": {"userName": "Eve", "sessionID": 7, "IPAddress": "::1", "isDatastore": false}}
/// ]"#;
/// let mut found = Vec::new();
/// let summary = Judge::new(Profile::Observed).read(&report[..], |notice| {
///     if let Notice::Violation(violation) = notice {
///         found.push(format!("{}: {}", violation.instance_path, violation.message));
///     }
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(found, ["/0/session/sessionID: 7 is not a string"]);
/// assert_eq!((summary.records, summary.valid, summary.malformed), (1, 0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Judge {
    profile: Profile,
    schema: Option<&'static str>,
    masked: bool,
    lines: bool,
    record_bytes_max: usize,
    rules: Option<Rules>,
}

/// What is told while a stream is read, in the order of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A record breaks a rule.
    Violation(Violation),
    /// A part of the stream is no record at all; reading goes on behind it where that can be told.
    Malformed(Malformed),
    /// So many bytes were read.
    Progress {
        /// Bytes from the start of the stream.
        bytes: u64,
    },
}

/// What was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that were judged: elements of a usage report, values of NDJSON, or the document.
    pub records: u64,
    /// Records without a violation.
    pub valid: u64,
    /// Violations of all records.
    pub violations: u64,
    /// Parts of the stream that are no records at all.
    pub malformed: u64,
    /// Bytes read.
    pub bytes: u64,
}

impl Judge {
    /// A judge that chooses the schema by the shape of what it reads.
    pub fn new(profile: Profile) -> Judge {
        Judge {
            profile,
            schema: None,
            masked: false,
            lines: false,
            record_bytes_max: RECORD_BYTES_MAX,
            rules: None,
        }
    }

    /// Judges by the schema `name`; records of several are judged as records of that report.
    ///
    /// # Errors
    /// [`UnknownSchema`] where no schema of that name is embedded.
    pub fn schema(self, name: &str) -> Result<Judge, UnknownSchema> {
        Ok(Judge { schema: Some(Validator::new(name, self.profile)?.name()), ..self })
    }

    /// Keeps the values of documents out of messages.
    #[must_use]
    pub fn masked(self, masked: bool) -> Judge {
        Judge { masked, ..self }
    }

    /// Reads one record a line (NDJSON, JSON Lines), even if there is only one.
    #[must_use]
    pub fn lines(self, lines: bool) -> Judge {
        Judge { lines, ..self }
    }

    /// Bytes that one record may have; [`RECORD_BYTES_MAX`] by default. Memory for the text of a
    /// stream stays within a small multiple of it.
    #[must_use]
    pub fn record_bytes_max(self, record_bytes_max: usize) -> Judge {
        Judge { record_bytes_max, ..self }
    }

    /// Judges what the schema accepts by these rules too; see [`rules`](crate::rules).
    #[must_use]
    pub fn rules(self, rules: Rules) -> Judge {
        Judge { rules: Some(rules), ..self }
    }

    /// Judges all that `reader` gives, or until `tell` breaks off.
    ///
    /// # Errors
    /// Those of `reader`; what is wrong with the bytes is told, and counted in the summary.
    pub fn read(
        &self,
        reader: impl Read,
        mut tell: impl FnMut(Notice) -> ControlFlow<()>,
    ) -> io::Result<Summary> {
        let cut = Cut {
            lines: self.lines,
            elements: self.schema.is_none_or(|name| name == USAGE),
            limit: self.record_bytes_max,
        };
        let mut units = Units::new(reader, cut);
        let mut summary = Summary::default();
        let mut ruling = self.rules.as_ref().map(|rules| Ruling::new(rules, self.masked));
        loop {
            let passed = units.pass(|role, text| self.accept(role, text));
            summary.records += passed;
            summary.valid += passed;
            let Some(unit) = units.next()? else { break };
            let judged = unit.and_then(|unit| self.unit(unit, units.text(), ruling.as_mut()));
            let broken_off = summary.count(judged).into_iter().try_for_each(&mut tell).is_break();
            let advanced = summary.bytes < units.read();
            summary.bytes = units.read();
            let progress = Notice::Progress { bytes: summary.bytes };
            if broken_off || (advanced && tell(progress).is_break()) {
                break;
            }
        }
        summary.bytes = units.read();
        Ok(summary)
    }

    fn unit(
        &self,
        unit: Unit,
        text: &[u8],
        ruling: Option<&mut Ruling<'_>>,
    ) -> Result<Vec<Violation>, Malformed> {
        let Unit { role, place } = unit;
        if bytes::accepts(|text| self.accept(role, text), text) {
            return Ok(Vec::new());
        }
        let mut value = text::parse(text, place)?;
        let unknown = || Problem::UnknownDocument.at(place);
        let name = self.schema_of(role, &value).ok_or_else(unknown)?;
        let validator = Validator::new(name, self.profile).expect("it is embedded");
        let validator = validator.masked(self.masked);
        let mut breaches = match role {
            Role::Element(_) => validator.element_breaches(&mut value),
            Role::Document | Role::Record => validator.breaches(&value),
        };
        if breaches.is_empty()
            && let Some(ruling) = ruling
        {
            breaches = ruling.judge(name, value);
        }
        Ok(breach::violations(breaches, text, place, role.index()))
    }

    /// Reads a unit that is certainly valid; returns what is left behind it.
    fn accept<'a>(&self, role: Role, text: &'a [u8]) -> bytes::Rest<'a> {
        let name = match (role, self.schema) {
            (Role::Element(_) | Role::Record, None | Some(USAGE)) => RETENTION,
            (_, Some(name)) => name,
            (Role::Document, None) => return None,
        };
        // Rules want to see the value.
        let reader = generated::reader(name, self.profile).filter(|_| self.rules.is_none())?;
        let rest = reader(text)?;
        // A record that has `products` is an info, if nothing else tells: see `schema_of`.
        static PRODUCTS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"products\""));
        let read = &text[..text.len() - rest.len()];
        let told = !matches!((role, self.schema), (Role::Record, None));
        (told || PRODUCTS.find(read).is_none()).then_some(rest)
    }

    /// The schema that judges `value`, unless nothing tells.
    fn schema_of(&self, role: Role, value: &Value) -> Option<&'static str> {
        let is_info = value.get("products").is_some();
        match (role, self.schema) {
            (Role::Element(_), _) => Some(USAGE),
            (Role::Record, Some(USAGE)) => Some(RETENTION),
            (Role::Document | Role::Record, Some(name)) => Some(name),
            (Role::Document | Role::Record, None) if is_info => Some(INFO),
            (Role::Record, None) => Some(RETENTION),
            (Role::Document, None) => (value.is_array() || value.is_null()).then_some(USAGE),
        }
    }
}

impl Summary {
    /// Counts what became of one unit, and gives what is to be told of it.
    fn count(&mut self, judged: Result<Vec<Violation>, Malformed>) -> Vec<Notice> {
        match judged {
            Ok(violations) => {
                self.records += 1;
                self.valid += u64::from(violations.is_empty());
                self.violations += violations.len() as u64;
                violations.into_iter().map(Notice::Violation).collect()
            }
            Err(malformed) => {
                self.malformed += 1;
                vec![Notice::Malformed(malformed)]
            }
        }
    }
}

/// Adds what another stream gave.
impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.records += other.records;
        self.valid += other.valid;
        self.violations += other.violations;
        self.malformed += other.malformed;
        self.bytes += other.bytes;
    }
}
