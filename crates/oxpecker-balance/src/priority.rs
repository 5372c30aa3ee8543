//! Priority groups: the highest is used first, and the next lower joins when too few are left.

/// The lowest priority that takes part. Members come as (priority, untried) in any order.
///
/// Groups join from the highest down until `min_active` members take part. Members already tried
/// for this connection count as active, or a retry would open the next group to everyone; but at
/// least one untried member must be among them while there is one at all.
pub(crate) fn floor<I>(members: I, min_active: u32) -> u16
where
    I: Iterator<Item = (u16, bool)> + Clone,
{
    let any_untried = members.clone().any(|(_, untried)| untried);
    let mut floor = u16::MAX;
    loop {
        let active = members.clone().filter(|&(priority, _)| priority >= floor);
        let count = active.clone().count();
        let fresh = active.clone().any(|(_, untried)| untried);
        if count > 0 && count as u64 >= u64::from(min_active) && (fresh || !any_untried) {
            return floor;
        }
        let lower = members.clone().map(|(priority, _)| priority).filter(|&p| p < floor);
        match lower.max() {
            Some(next) => floor = next,
            None => return floor,
        }
    }
}

#[cfg(test)]
mod tests;
