//! The operations, one function each.

mod licenses;
mod log;
mod service;
mod sessions;
mod usage;

use axum::response::Response;

use crate::call::Call;
use crate::failure::Failure;
use crate::operation::Operation;

/// What an operation ends in.
pub(crate) type Answer = Result<Response, Failure>;

/// Performs the operation of a request.
pub(crate) async fn answer(call: Call) -> Answer {
    match call.operation {
        Operation::ListLicenses => licenses::list(&call).await,
        Operation::InstallLicense => licenses::install(&call).await,
        Operation::ShowLicense => licenses::show(&call).await,
        Operation::UninstallLicense => licenses::uninstall(&call).await,
        Operation::ShowAvailability => licenses::availability(&call).await,
        Operation::ShowReport => licenses::report(&call).await,
        Operation::ShowUsage => usage::show(&call).await,
        Operation::Retain => sessions::retain(&call).await,
        Operation::ShowSession => sessions::show(&call).await,
        Operation::RenewSession => sessions::renew(&call).await,
        Operation::RenewSessions => sessions::renew_list(&call).await,
        Operation::ReleaseSession | Operation::ReleaseProduct => sessions::release(&call).await,
        Operation::RevokeRetention => sessions::revoke(&call).await,
        Operation::ShowHistory => log::history(&call).await,
        Operation::FollowEvents => log::events(&call).await,
        Operation::ListSchemas => Ok(service::schemas()),
        Operation::ShowSchema => service::schema(&call),
        Operation::ShowOpenapi => Ok(service::openapi()),
        Operation::ShowHealth => Ok(service::health(&call)),
        Operation::ShowReadiness => service::readiness(&call).await,
        Operation::ShowMetrics => service::metrics(&call).await,
        Operation::ListServers => service::servers(&call).await,
        Operation::ShowPage => Ok(service::page()),
        Operation::ShowAsset => service::asset(&call),
    }
}
