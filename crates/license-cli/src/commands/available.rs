//! `license available`: whether a license of a product can be retained now.

use license_types::{Availability, RefusalCode};

use crate::arguments::Available;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{UNLIMITED, or_unlimited};

pub(super) fn run(arguments: &Available, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut licenses = context.licenses()?;
    let availability = licenses.availability(arguments.product)?;
    if availability.code == Some(RefusalCode::UnknownProduct) && licenses.info()?.is_none() {
        context.nothing_installed();
    }
    if context.json() {
        context.value(&availability)?;
    } else {
        context.data(&sentence(&availability))?;
    }
    Ok(if availability.available { Exit::Done } else { Exit::Refused })
}

fn sentence(availability: &Availability) -> String {
    let Availability { product_id, allowed_count, used_count, product_balance, .. } = availability;
    let product = product_id.human();
    match availability.code {
        None if or_unlimited(*product_balance) == UNLIMITED => {
            format!("yes: {product} is unlimited\n")
        }
        None => format!("yes: {product} has {product_balance} of {allowed_count} left\n"),
        Some(RefusalCode::UnknownProduct) => format!("no: the license has no product {product}\n"),
        Some(RefusalCode::LicenseExpired) => format!("no: the license for {product} has expired\n"),
        Some(RefusalCode::NoLicenseLeft) => {
            format!("no: {product} has {used_count} of {allowed_count} in use\n")
        }
        Some(RefusalCode::NotPermitted) => format!("no: {product} is not permitted\n"),
    }
}
