//! Whether this gateway lives, and whether clients should be sent to it: for load balancers and
//! supervisors, who get a word and a status and nothing else.

use crate::route::{Needs, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/livez", Needs::Nothing, async || "alive\n"),
        Route::get("/readyz", Needs::Nothing, async || "ready\n"),
    ]
}
