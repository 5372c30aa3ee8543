//! The balancer: all pools, members, nodes and persistence tables of the gateway.

use crate::spec::*;
// API promised to the data plane (to be implemented; private fields are free):
//
// pub struct Balancer
// impl Balancer {
//     /// `seed` feeds random-two only.
//     pub fn new(seed: u64) -> Self;
//     /// Replaces the configuration. Pools, members and tables with known names keep ids, counts,
//     /// health, admin state and entries. Removed members with open connections live on, unchoosable, until released.
//     pub fn configure(&mut self, pools: Vec<PoolSpec>, tables: Vec<TableSpec>, now: Now);
//     pub fn pool_id(&self, name: &str) -> Option<PoolId>;
//     pub fn member_id(&self, pool: PoolId, member: &str) -> Option<MemberId>;
//     pub fn table_id(&self, name: &str) -> Option<TableId>;
//     /// Chooses and counts the connection at once, so that two workers never see the same "least".
//     pub fn choose(&mut self, request: &Request<'_>) -> Result<Choice, Refusal>;
//     /// The connection that `choose` counted is over (or its connect failed). Counts after the release
//     /// are NOT included: the returned Load still counts this connection.
//     pub fn release(&mut self, member: MemberId, now: Now, persisted: Option<(TableId, IpAddr)>) -> Load;
//     pub fn connected(&mut self, member: MemberId, now: Now) -> Option<Change>;       // resets the passive failure count
//     pub fn connect_failed(&mut self, member: MemberId, now: Now) -> Option<Change>;
//     pub fn probed(&mut self, member: MemberId, outcome: ProbeOutcome, now: Now) -> Option<Change>;
//     pub fn set_admin_state(&mut self, member: MemberId, state: AdminState, now: Now) -> Option<Change>;
//     pub fn set_weight(&mut self, member: MemberId, weight: u16);
//     pub fn expire(&mut self, now: Now);    // drops old table entries; called now and then
//     pub fn members(&self, pool: PoolId) -> Vec<MemberView>;  // snapshot for status pages
// }
// pub struct Choice { pub member: MemberId, pub load: Load, pub by: ChosenBy }   // load includes this connection
// pub enum ChosenBy { Method, Persistence, FailOpen }
// pub struct Load { pub member: u32, pub node: u32, pub pool: u32 }  // open connections
// pub enum Refusal { NoUsableMember, AllFull /* some usable, every one at connections_max */ }  (thiserror not needed; Display + Error by hand)
// pub struct Change { pub member: MemberId, pub from: Health, pub to: Health, pub cause: Cause }
// pub enum Cause { Probe, ConnectFailures, RetryAfterFailures, ... }
// pub struct MemberView { id, name, node, weight, priority, admin_state, health, open, open_max, total, since: Now ... }
