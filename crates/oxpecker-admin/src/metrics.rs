//! `/metrics`: Prometheus' text.

use crate::route::Route;

pub(crate) fn routes() -> Vec<Route> {
    Vec::new()
}
