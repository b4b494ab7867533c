//! Operations on licenses: install, list, show and uninstall them; what is available, and the report.

use axum::http::StatusCode;
use jiff::Timestamp;
use license_pool::{Error, InstallError, InstallOptions};
use license_types::{InstallStatus, LicenseInfo, LicenseSummary, ProblemCode};
use license_validate::{Profile, Validator};

use crate::answer::{json, ok};
use crate::call::Call;
use crate::failure::Failure;
use crate::parameters::Parameters;
use crate::routes::Answer;

/// `GET /v1/licenses`
pub(super) async fn list(call: &Call) -> Answer {
    let pool = &call.state.pool;
    let mut list = Vec::new();
    for number in pool.licenses_async().await? {
        match pool.license(number).info_async().await {
            Ok(info) => list.extend(info.map(summary)),
            // A faulted license must not hide the others.
            Err(Error::LedgerFaulted { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ok(&list))
}

fn summary(info: LicenseInfo) -> LicenseSummary {
    LicenseSummary {
        license_number: info.license_number,
        name: info.name,
        company_name: info.company_name,
        expiration_date: info.expiration_date,
    }
}

/// `POST /v1/licenses`
pub(super) async fn install(call: &Call) -> Answer {
    let options = InstallOptions {
        replaces: call.parameters.replaces.clone(),
        dry_run: call.parameters.dry_run,
    };
    let receipt = call.own_pool().install_with(&call.body, options).await;
    let receipt = receipt.map_err(|error| not_installed(error, &call.body))?;
    let status = match receipt.status {
        // A dry run creates nothing, so it is never answered with 201.
        InstallStatus::Installed if !call.parameters.dry_run => StatusCode::CREATED,
        InstallStatus::Installed | InstallStatus::Replaced | InstallStatus::Unchanged => {
            StatusCode::OK
        }
    };
    Ok(json(status, &receipt))
}

/// Why a document was not installed. If it has not the shape of a license, every violation is listed,
/// where the pool names the first.
fn not_installed(error: Error, document: &[u8]) -> Failure {
    if let Error::Document(InstallError::Shape { .. }) = &error {
        let judge = Validator::new(INFO, Profile::Documented).expect("the schema is published");
        // The pool accepts comments, which are no JSON to the validator: then its one reason has to do.
        if let Ok(violations) = judge.check(document)
            && !violations.is_empty()
        {
            return Failure::violations(INFO, violations);
        }
    }
    error.into()
}

/// The schema of a license.
const INFO: &str = "license-info";

/// `GET /v1/licenses/{n}`
pub(super) async fn show(call: &Call) -> Answer {
    match call.pool().info_async().await? {
        Some(info) => Ok(ok(&info)),
        None => Err(Failure::new(ProblemCode::UnknownLicense, "no license is installed")),
    }
}

/// `DELETE /v1/licenses/{n}`
pub(super) async fn uninstall(call: &Call) -> Answer {
    Ok(ok(&call.own_pool().uninstall_async().await?))
}

/// `GET /v1/licenses/{n}/products/{id}/availability`
pub(super) async fn availability(call: &Call) -> Answer {
    Ok(ok(&call.pool().availability_async(call.product()).await?))
}

/// `GET /v1/licenses/{n}/report`
pub(super) async fn report(call: &Call) -> Answer {
    let Parameters { from, to, product, .. } = &call.parameters;
    let time = from.unwrap_or(Timestamp::MIN)..to.unwrap_or(Timestamp::MAX);
    let mut days = call.pool().days(time).await?;
    days.retain(|day| product.is_none_or(|product| day.product_id == product));
    Ok(ok(&days))
}
