//! A long random life, checked against a model that only counts.
//!
//! `OXPECKER_SEED=…` repeats a run; a failing one prints its seed.

use std::collections::BTreeMap;

use super::distribution::Dice;
use super::*;

const STEPS: usize = 200_000;
const ENTRIES_MAX: u32 = 50;
const POOLS: [&str; 3] = ["shell", "hs2", "http"];
const NODES: [&str; 6] = ["n1", "n2", "n3", "n4", "n5", "n6"];

/// One open connection, as the model remembers it.
#[derive(Debug, Clone, Copy)]
struct Connection {
    member: MemberId,
    client: IpAddr,
    table: Option<TableId>,
}

struct Simulation {
    balancer: Balancer,
    dice: Dice,
    now: Now,
    specs: Vec<PoolSpec>,
    open: Vec<Connection>,
    /// Where each connected member was when last seen: a removed one must still be counted there.
    node_of: BTreeMap<MemberId, String>,
    chosen: u64,
    refused: u64,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut simulation = Self {
            balancer: Balancer::new(seed),
            dice: Dice::new(seed),
            now: Now::default(),
            specs: Vec::new(),
            open: Vec::new(),
            node_of: BTreeMap::new(),
            chosen: 0,
            refused: 0,
        };
        simulation.reconfigure();
        simulation
    }

    fn any<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.dice.below(values.len())]
    }

    fn reconfigure(&mut self) {
        self.specs.clear();
        for name in POOLS {
            if self.dice.below(10) > 0 {
                let spec = self.random_pool(name);
                self.specs.push(spec);
            }
        }
        let entries_max = 1 + self.dice.below(ENTRIES_MAX as usize) as u32;
        let timeout = Duration::from_secs(self.dice.below(200) as u64);
        let mask_v4 = if self.dice.below(20) == 0 { 24 } else { 32 };
        let table = TableSpec { entries_max, timeout, mask_v4, ..table("t") };
        let tables = if self.dice.below(10) > 0 { vec![table] } else { vec![] };
        self.balancer.configure(self.specs.clone(), tables, self.now);
        for spec in &self.specs {
            let pool = self.balancer.pool_id(&spec.name).expect("a pool");
            for member in self.balancer.members(pool) {
                self.node_of.insert(member.id, member.node);
            }
        }
    }

    fn random_pool(&mut self, name: &str) -> PoolSpec {
        use Method::*;
        let mut text = String::new();
        for node in NODES {
            if self.dice.below(4) > 0 {
                let weight = self.any(&[0, 1, 1, 1, 2, 10]);
                let priority = self.any(&[1, 1, 2]);
                let limit = self.any(&["", "", "/3", "/20"]);
                let state = self.any(&["", "", "", "", "+r", "+x"]);
                let host = if self.dice.below(20) == 0 { self.any(&NODES) } else { node };
                text += &format!("{node}*{weight}^{priority}@{host}{limit}{state} ");
            }
        }
        let seconds = Duration::from_secs(self.dice.below(60) as u64);
        PoolSpec {
            scope: self.any(&[Scope::Node, Scope::Member]),
            monitored: self.dice.below(3) > 0,
            thresholds: Thresholds { rise: self.any(&[1, 2]), fall: self.any(&[1, 3]) },
            slow_start: self.any(&[None, Some(seconds)]),
            priority_min_active: self.any(&[1, 2, 3]),
            when_all_down: self.any(&[WhenAllDown::Refuse, WhenAllDown::TryAny]),
            connect_failures_max: self.any(&[0, 1, 3]),
            connect_failures_retry: seconds,
            ..pool(name, self.any(&[RoundRobin, LeastConnections, SourceHash, RandomTwo]), &text)
        }
    }

    fn step(&mut self) {
        self.now.0 += Duration::from_millis(self.dice.below(500) as u64);
        match self.dice.below(100) {
            0..45 => self.open(),
            45..80 => self.close(),
            80..90 => self.probe(),
            90..95 => self.report_connect(),
            95..97 => self.administer(),
            97..99 => drop(self.balancer.expire(self.now)),
            _ if self.dice.below(10) == 0 => self.reconfigure(),
            _ => {}
        }
    }

    fn open(&mut self) {
        let Some(name) = self.pick_pool() else { return };
        let pool = self.balancer.pool_id(&name).expect("a pool");
        let members = self.balancer.members(pool);
        let tried: Vec<_> =
            members.iter().map(|m| m.id).filter(|_| self.dice.below(5) == 0).collect();
        let client = client(self.dice.below(80) as u32);
        let table = self.balancer.table_id("t").filter(|_| self.dice.below(2) == 0);
        let request = Request { pool, client, table, tried: &tried, now: self.now };
        match self.balancer.choose(&request) {
            Ok(choice) => {
                self.chosen += 1;
                let before = members.iter().find(|m| m.id == choice.member);
                self.check_choice(&request, choice, before.expect("a member of the pool"));
                self.open.push(Connection { member: choice.member, client, table });
            }
            Err(refusal) => {
                self.refused += 1;
                self.check_refusal(&name, &members, refusal);
            }
        }
    }

    fn check_choice(&self, request: &Request<'_>, choice: Choice, before: &MemberView) {
        let spec = self
            .specs
            .iter()
            .find(|spec| Some(spec.name.as_str()) == self.balancer.pool_name(request.pool));
        let spec = spec.expect("a spec");
        let retried = before.health == Health::Down
            && !spec.monitored
            && self.now.0 - before.since.0 >= spec.connect_failures_retry;
        let serves = matches!(before.health, Health::Up | Health::Unknown) || retried;
        assert_ne!(before.admin_state, AdminState::Disabled);
        assert!(before.connections_max.is_none_or(|max| before.open < max), "over the limit");
        match choice.by {
            ChosenBy::Method => {
                assert!(serves && before.admin_state == AdminState::Enabled && before.weight > 0);
            }
            ChosenBy::Persistence => {
                assert!(serves && request.table.is_some() && !request.tried.contains(&before.id));
            }
            ChosenBy::FailOpen => assert_eq!(spec.when_all_down, WhenAllDown::TryAny),
        }
        assert_eq!(choice.load.member, before.open + 1);
        assert_eq!(choice.load.node, before.node_open + 1);
    }

    /// Nobody is refused while a member is enabled, up and has room.
    fn check_refusal(&self, pool: &str, members: &[MemberView], refusal: Refusal) {
        let takes_new = |m: &&MemberView| m.admin_state == AdminState::Enabled && m.weight > 0;
        for member in members.iter().filter(takes_new).filter(|m| m.health == Health::Up) {
            let full = member.connections_max.is_some_and(|max| member.open >= max);
            assert!(full && refusal == Refusal::AllFull, "{pool} refused: {member:?}");
        }
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let index = self.dice.below(self.open.len());
        let Connection { member, client, table } = self.open[index];
        let before = self.open.iter().filter(|c| c.member == member).count();
        let persisted = table.map(|table| (table, client));
        let load = self.balancer.release(member, self.now, persisted);
        assert_eq!(load.member as usize, before);
        self.open.swap_remove(index);
    }

    fn probe(&mut self) {
        use ProbeOutcome::*;
        let outcome = self.any(&[Passed, Passed, Passed, Failed, Failed, Quiescing]);
        if let Some(member) = self.pick_member() {
            let change = self.balancer.probed(member, outcome, self.now);
            assert!(change.is_none_or(|change| change.from != change.to));
        }
    }

    fn report_connect(&mut self) {
        let Some(member) = self.pick_member() else { return };
        if self.dice.below(2) == 0 {
            self.balancer.connected(member, self.now);
        } else {
            self.balancer.connect_failed(member, self.now);
        }
    }

    fn administer(&mut self) {
        use AdminState::*;
        let (state, weight) =
            (self.any(&[Enabled, Enabled, Draining, Disabled]), self.any(&[0, 1, 5]));
        let Some(member) = self.pick_member() else { return };
        if self.dice.below(3) == 0 {
            self.balancer.set_weight(member, weight);
        } else {
            self.balancer.set_admin_state(member, state, self.now);
        }
    }

    fn pick_pool(&mut self) -> Option<String> {
        if self.specs.is_empty() {
            return None;
        }
        let index = self.dice.below(self.specs.len());
        Some(self.specs[index].name.clone())
    }

    /// Mostly one that is configured, at times one that never was or is gone.
    fn pick_member(&mut self) -> Option<MemberId> {
        if self.dice.below(20) == 0 {
            return Some(MemberId(self.dice.below(100) as u32));
        }
        let pool = self.pick_pool()?;
        let members = self.balancer.members(self.balancer.pool_id(&pool)?);
        let index = self.dice.below(members.len().max(1));
        members.get(index).map(|member| member.id)
    }

    /// Counts equal those of the model, and nothing outgrows its bound.
    fn check_counts(&self) {
        let mut by_member = BTreeMap::<MemberId, u32>::new();
        let mut by_node = BTreeMap::<&str, u32>::new();
        for connection in &self.open {
            *by_member.entry(connection.member).or_default() += 1;
            *by_node.entry(&self.node_of[&connection.member]).or_default() += 1;
        }
        let pools = self.balancer.pools();
        let configured = pools.iter().flat_map(|pool| self.balancer.members(pool.id));
        let mut seen = 0;
        for member in configured.chain(self.balancer.leaving()) {
            assert_eq!(member.open, by_member.get(&member.id).copied().unwrap_or(0));
            seen += member.open;
        }
        assert_eq!(seen as usize, self.open.len());
        let nodes = self.balancer.nodes();
        for node in &nodes {
            assert_eq!(node.counts.open, by_node.get(node.name.as_str()).copied().unwrap_or(0));
            assert!(node.members > 0, "{node:?} is there for nobody");
        }
        assert_eq!(nodes.iter().map(|node| node.counts.open).sum::<u32>(), seen);
        let leaving = self.balancer.leaving();
        assert!(leaving.iter().all(|member| member.open > 0), "{leaving:?}");
        if let Some(table) = self.balancer.table_id("t") {
            assert!(self.balancer.entries_len(table) <= ENTRIES_MAX as usize);
        }
    }
}

/// Names the seed when the test panics before [`Simulation`] is through.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("repeat with OXPECKER_SEED={}", self.0);
        }
    }
}

#[test]
fn random_life_keeps_all_promises() {
    let given = std::env::var("OXPECKER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = Seed(given.unwrap_or(1));
    let mut simulation = Simulation::new(seed.0);
    for step in 0..STEPS {
        simulation.step();
        if step % 20 == 0 {
            simulation.check_counts();
        }
    }
    // A life in which hardly anything happened would prove nothing.
    assert!(simulation.chosen > 30_000, "only {} chosen", simulation.chosen);
    assert!(simulation.refused > 1_000, "only {} refused", simulation.refused);
    while !simulation.open.is_empty() {
        simulation.close();
    }
    simulation.balancer.configure(vec![], vec![], simulation.now);
    assert_eq!((simulation.balancer.nodes(), simulation.balancer.leaving()), (vec![], vec![]));
}
