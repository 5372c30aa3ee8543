//! `/api/v1`: what is shown and changed by programs, as JSON.

mod convert;
mod extract;
mod health;
mod status;

use crate::route::Route;

pub(crate) fn routes() -> Vec<Route> {
    [health::routes(), status::routes()].into_iter().flatten().collect()
}

/// `/api/v1/REST`
fn path(rest: &str) -> String {
    format!("{}{rest}", oxpecker_api::PREFIX)
}
