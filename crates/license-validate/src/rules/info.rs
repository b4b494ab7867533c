//! Rules of a license info.

use std::collections::BTreeSet;

use jiff::civil::Date;
use license_types::observed::{LicenseDate, LicenseInfo, LicensedProduct};

use super::{Rule, Ruling};

/// The count of a right, and so of a product, that is without limit.
const UNLIMITED: u64 = license_types::RightCount::UNLIMITED.get();

impl Ruling<'_> {
    pub(super) fn info(&mut self, info: &LicenseInfo) {
        self.date(info.expiration_date.as_ref(), || "/expirationDate".to_owned());
        let mut ids = BTreeSet::new();
        for (index, product) in info.products.iter().enumerate() {
            let at = format!("/products/{index}");
            for (index, right) in product.rights.iter().enumerate() {
                let at = || format!("{at}/rights/{index}/expirationDate");
                self.date(right.expiration_date.as_ref(), at);
            }
            let id = product.id.get();
            if !ids.insert(id) {
                let sentence = "stands for a second product of the license";
                self.note(Rule::ProductsOnce, format!("{at}/id"), sentence, format_args!("{id}"));
            }
            let allowed = allowed(product, info.expiration_date.as_ref(), self.rules.today);
            let told = product.allowed_count.get();
            if let Some(allowed) = allowed.filter(|&allowed| allowed != told) {
                let today = self.rules.today;
                let sentence = format!("is not what the rights allow that are valid on {today}");
                let detail = format_args!("{told}, expected {allowed}");
                self.note(Rule::AllowedCount, format!("{at}/allowedCount"), &sentence, detail);
            }
        }
    }

    fn date(&mut self, date: Option<&LicenseDate>, at: impl Fn() -> String) {
        if let Some(date) = date
            && date.to_date().is_none()
        {
            let (day, month, year) = (date.day, date.month, date.year);
            let detail = format_args!("{year}-{month}-{day}");
            self.note(Rule::DatesExist, at(), "is no day of the calendar", detail);
        }
    }
}

/// What the rights of `product` allow on `today`; none where a date is no day, so nobody can tell.
fn allowed(
    product: &LicensedProduct,
    license_end: Option<&LicenseDate>,
    today: Date,
) -> Option<u64> {
    let is_valid = |end: Option<&LicenseDate>| match end {
        Some(end) => end.to_date().map(|end| today <= end),
        None => Some(true),
    };
    let license_is_valid = is_valid(license_end)?;
    let mut sum = 0;
    for right in &product.rights {
        let counts = is_valid(right.expiration_date.as_ref())? && license_is_valid;
        match right.count.get() {
            _ if !counts => {}
            UNLIMITED => return Some(UNLIMITED),
            count => sum += count,
        }
    }
    Some(sum)
}
