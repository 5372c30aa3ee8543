//! Source-address persistence: which member a client had last.
//!
//! Every operation is at worst logarithmic in the entries, with no hash table that pauses to grow
//! and nothing a client could fill with colliding addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::outcome::EntryView;
use crate::spec::{MemberId, Now, TableSpec};

/// Old entries removed by one call of [`Table::expire`]: a few milliseconds of work under the lock
/// that new connections wait for. The rest is invisible already and goes with the next calls.
const EXPIRE_BATCH: usize = 4096;

/// Entries in use that are passed over before one of them is evicted after all.
const EVICT_TRIES: usize = 8;

#[derive(Debug)]
pub(crate) struct Table {
    spec: TableSpec,
    entries: BTreeMap<IpAddr, Entry>,
    /// The same entries by last use, oldest first.
    by_use: BTreeMap<u64, IpAddr>,
    /// Stands for "later" even between two uses at the same `now`.
    next_use: u64,
    /// Open connections by masked source and member. Kept apart from the entries, so that an entry
    /// that was rewritten or evicted in between never loses count.
    open: BTreeMap<(IpAddr, MemberId), u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    member: MemberId,
    used: Now,
    use_order: u64,
}

impl Table {
    pub(crate) fn new(spec: TableSpec) -> Self {
        Self {
            spec,
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
            next_use: 0,
            open: BTreeMap::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Entries survive a new timeout and bound, but not a new mask: under it their addresses mean
    /// other clients. Connections open over a change of mask no longer hold their entries.
    pub(crate) fn configure(&mut self, spec: TableSpec, now: Now) {
        let same_masks = (spec.mask_v4, spec.mask_v6) == (self.spec.mask_v4, self.spec.mask_v6);
        self.spec = spec;
        if !same_masks {
            self.clear();
            self.open.clear();
        }
        while self.entries.len() > self.spec.entries_max as usize {
            self.evict(now);
        }
    }

    /// The member of the client's entry, if there is one and it is not too old.
    pub(crate) fn find(&self, client: IpAddr, now: Now) -> Option<MemberId> {
        let source = self.mask(client);
        let entry = self.entries.get(&source)?;
        let live = self.is_fresh(entry, now) || self.is_held(source, entry);
        live.then_some(entry.member)
    }

    /// Writes, rewrites or refreshes the client's entry.
    pub(crate) fn stick(&mut self, client: IpAddr, member: MemberId, now: Now) {
        let source = self.mask(client);
        if let Some(entry) = self.entries.get_mut(&source) {
            entry.member = member;
            self.touch(source, now);
            return;
        }
        if self.entries.len() >= self.spec.entries_max as usize {
            self.evict(now);
        }
        if self.spec.entries_max > 0 {
            self.entries.insert(source, Entry { member, used: now, use_order: self.next_use });
            self.by_use.insert(self.next_use, source);
            self.next_use += 1;
        }
    }

    /// A connection of the client to the member opened: until it closes, its entry does not expire.
    pub(crate) fn opened(&mut self, client: IpAddr, member: MemberId) {
        *self.open.entry((self.mask(client), member)).or_default() += 1;
    }

    /// It closed, and the timeout begins now.
    pub(crate) fn closed(&mut self, client: IpAddr, member: MemberId, now: Now) {
        let source = self.mask(client);
        match self.open.get_mut(&(source, member)) {
            Some(open) if *open > 1 => *open -= 1,
            _ => drop(self.open.remove(&(source, member))),
        }
        if self.entries.get(&source).is_some_and(|entry| entry.member == member) {
            self.touch(source, now);
        }
    }

    /// Removes old entries, up to a bound; nobody sees an old entry even before.
    pub(crate) fn expire(&mut self, now: Now) {
        for _ in 0..EXPIRE_BATCH {
            let Some((source, entry)) = self.oldest() else { return };
            if self.is_fresh(&entry, now) {
                return;
            }
            if self.is_held(source, &entry) {
                self.touch(source, now);
            } else {
                self.remove(source);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Live entries by address.
    pub(crate) fn iter(&self, now: Now) -> impl Iterator<Item = EntryView> {
        self.entries.iter().filter_map(move |(&client, entry)| {
            let open = self.open.get(&(client, entry.member)).copied().unwrap_or(0);
            let live = open > 0 || self.is_fresh(entry, now);
            live.then_some(EntryView { client, member: entry.member, used: entry.used, open })
        })
    }

    pub(crate) fn forget(&mut self, client: IpAddr) -> bool {
        self.remove(self.mask(client))
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_use.clear();
    }

    /// Removes the entry used longest ago; one with open connections counts as used just now, but
    /// when too many are, the bound wins.
    fn evict(&mut self, now: Now) {
        for _ in 0..EVICT_TRIES {
            match self.oldest() {
                Some((source, entry)) if self.is_held(source, &entry) => self.touch(source, now),
                _ => break,
            }
        }
        if let Some((source, _)) = self.oldest() {
            self.remove(source);
        }
    }

    fn oldest(&self) -> Option<(IpAddr, Entry)> {
        let (_, source) = self.by_use.first_key_value()?;
        Some((*source, self.entries[source]))
    }

    fn touch(&mut self, source: IpAddr, now: Now) {
        if let Some(entry) = self.entries.get_mut(&source) {
            self.by_use.remove(&entry.use_order);
            self.by_use.insert(self.next_use, source);
            entry.use_order = self.next_use;
            entry.used = now;
            self.next_use += 1;
        }
    }

    fn remove(&mut self, source: IpAddr) -> bool {
        let removed = self.entries.remove(&source);
        if let Some(entry) = removed {
            self.by_use.remove(&entry.use_order);
        }
        removed.is_some()
    }

    fn is_fresh(&self, entry: &Entry, now: Now) -> bool {
        now.0.saturating_sub(entry.used.0) < self.spec.timeout
    }

    fn is_held(&self, source: IpAddr, entry: &Entry) -> bool {
        self.open.contains_key(&(source, entry.member))
    }

    /// A client counts as the same over IPv4 and a dual-stack socket.
    fn mask(&self, client: IpAddr) -> IpAddr {
        match client.to_canonical() {
            IpAddr::V4(v4) => {
                let host_bits = 32u32.saturating_sub(self.spec.mask_v4.into());
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let host_bits = 128u32.saturating_sub(self.spec.mask_v6.into());
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
