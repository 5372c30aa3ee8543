//! The balancing methods: each picks one of the candidates that rules and limits left over.
//!
//! No method knows health, persistence or limits, and none keeps state of its own: the turns of
//! the rotation come and go with the candidates.

mod least_connections;
mod random_two;
mod round_robin;
mod source_hash;

use std::net::IpAddr;

pub(crate) use random_two::Random;

use crate::spec::Method;

/// One member that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Where the member stands in its pool.
    pub(crate) slot: usize,
    /// As configured, never 0.
    pub(crate) weight: u16,
    /// In thousandths, less than `weight` during slow start, never 0.
    pub(crate) effective_weight: u32,
    /// Open connections by the pool's scope, or running operations.
    pub(crate) load: u32,
    pub(crate) name_hash: u64,
    /// Turns earned and not yet taken in the rotation; written back to the member.
    pub(crate) credit: i64,
}

impl Candidate {
    /// Less load for its weight, without dividing.
    fn is_lighter_than(&self, other: &Self) -> bool {
        self.cross_load(other) < other.cross_load(self)
    }

    fn is_as_light_as(&self, other: &Self) -> bool {
        self.cross_load(other) == other.cross_load(self)
    }

    fn cross_load(&self, other: &Self) -> u64 {
        u64::from(self.load) * u64::from(other.effective_weight)
    }
}

/// Picks by index; `None` only when there are no candidates.
pub(crate) fn pick(
    method: Method,
    candidates: &mut [Candidate],
    client: IpAddr,
    random: &mut Random,
) -> Option<usize> {
    match method {
        Method::RoundRobin => round_robin::pick(candidates),
        // What is fewest is in the candidates' load.
        Method::LeastConnections | Method::LeastOperations => least_connections::pick(candidates),
        Method::SourceHash => source_hash::pick(candidates, client),
        Method::RandomTwo => random_two::pick(candidates, random),
    }
}

#[cfg(test)]
mod tests;
