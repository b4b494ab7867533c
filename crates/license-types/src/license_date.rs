//! Days of a license as days of the calendar.

use jiff::civil::Date;

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
