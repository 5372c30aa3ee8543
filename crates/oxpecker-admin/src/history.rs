//! What was measured over the last hour, in a bounded ring.

use std::sync::Arc;

use crate::app::App;

/// Samples so far.
#[derive(Debug, Default)]
pub(crate) struct History {}

/// Takes samples for as long as the admin side runs; one task of its runtime.
pub(crate) async fn sample(app: Arc<App>) {
    let _kept = &app.history;
    std::future::pending().await
}
