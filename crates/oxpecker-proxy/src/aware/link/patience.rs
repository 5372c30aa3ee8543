//! How long a peer may stand still in the middle of a message.

use std::time::Duration;

/// Of each step: a peer that goes on, however slowly, is never cut.
#[derive(Debug, Clone, Copy)]
pub(in crate::aware) struct Patience(Option<Duration>);

impl Patience {
    pub(in crate::aware) const ENDLESS: Self = Self(None);

    pub(in crate::aware) fn new(limit: Option<Duration>) -> Self {
        Self(limit)
    }

    /// `None`: it is over.
    pub(in crate::aware) async fn within<F: Future>(self, step: F) -> Option<F::Output> {
        match self.0 {
            Some(limit) => tokio::time::timeout(limit, step).await.ok(),
            None => Some(step.await),
        }
    }
}
