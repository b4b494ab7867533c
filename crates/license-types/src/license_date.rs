//! Days of a license as days of the calendar.

use jiff::{Timestamp, civil::Date, tz::Offset};

use crate::{Day, LicenseDate, Month, Year, observed};

impl LicenseDate {
    /// The day, unless it does not exist, such as February 30.
    ///
    /// ```
    /// use license_types::LicenseDate;
    ///
    /// let date: LicenseDate = serde_json::from_str(r#"{"day": 2, "month": 6, "year": 2026}"#)?;
    /// assert_eq!(date.to_date(), Some(jiff::civil::date(2026, 6, 2)));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn to_date(&self) -> Option<Date> {
        to_date(self.day, self.month, self.year)
    }

    /// When what is valid until this date is over: with the end of the day, in UTC. None where the day
    /// does not exist; the calendar's last day does not end.
    ///
    /// ```
    /// use license_types::LicenseDate;
    ///
    /// let date: LicenseDate = serde_json::from_str(r#"{"day": 2, "month": 6, "year": 2026}"#)?;
    /// assert_eq!(date.end().map(|end| end.to_string()).as_deref(), Some("2026-06-03T00:00:00Z"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn end(&self) -> Option<Timestamp> {
        let midnight = self.to_date()?.tomorrow().map(|day| day.at(0, 0, 0, 0));
        let end = midnight.and_then(|midnight| Offset::UTC.to_timestamp(midnight));
        Some(end.unwrap_or(Timestamp::MAX))
    }
}

impl observed::LicenseDate {
    /// The day, unless it does not exist, such as February 30.
    pub fn to_date(&self) -> Option<Date> {
        to_date(self.day, self.month, self.year)
    }
}

fn to_date(day: Day, month: Month, year: Year) -> Option<Date> {
    let year = i16::try_from(year.get()).ok()?;
    let month = i8::try_from(month.get()).ok()?;
    Date::new(year, month, i8::try_from(day.get()).ok()?).ok()
}
