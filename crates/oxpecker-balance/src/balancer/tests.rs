//! The balancer as a whole, by scripts: who is chosen after what.

mod distribution;
mod operations;
mod persistence;
mod reload;
mod simulation;

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::spec::*;

/// A balancer with one pool `p` and one table `t`, and a clock that only tests move.
struct Lab {
    balancer: Balancer,
    now: Now,
    spec: PoolSpec,
    open: Vec<(MemberId, IpAddr)>,
}

/// Members as `name*weight^priority@node/max+state`, all but the name optional; the node is by
/// default named after the member, and the state is `e`, `r` or `x`: enabled, draining, disabled.
fn members(text: &str) -> Vec<MemberSpec> {
    let member = |text: &str| {
        let name: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        let part = |mark: char| {
            let rest = text.split_once(mark)?.1;
            Some(rest.chars().take_while(|c| c.is_alphanumeric()).collect::<String>())
        };
        let number = |mark| part(mark).map(|text| text.parse::<u16>().expect("a number"));
        MemberSpec {
            node: part('@').unwrap_or_else(|| name.clone()),
            name,
            weight: number('*').unwrap_or(1),
            priority: number('^').unwrap_or(0),
            connections_max: number('/').map(u32::from),
            admin_state: match part('+').as_deref() {
                None | Some("e") => AdminState::Enabled,
                Some("r") => AdminState::Draining,
                Some("x") => AdminState::Disabled,
                Some(other) => panic!("no state {other}"),
            },
        }
    };
    text.split_whitespace().map(member).collect()
}

fn pool(name: &str, method: Method, text: &str) -> PoolSpec {
    PoolSpec {
        name: name.to_owned(),
        method,
        scope: Scope::Node,
        members: members(text),
        monitored: true,
        thresholds: Thresholds { rise: 1, fall: 1 },
        slow_start: None,
        priority_min_active: 1,
        when_all_down: WhenAllDown::Refuse,
        connect_failures_max: 0,
        connect_failures_retry: Duration::from_secs(10),
    }
}

fn table(name: &str) -> TableSpec {
    TableSpec {
        name: name.to_owned(),
        timeout: Duration::from_secs(180),
        mask_v4: 32,
        mask_v6: 128,
        entries_max: 1000,
    }
}

/// The client `number`; number 0 is what [`Lab::choose`] uses.
fn client(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + number).to_be_bytes())
}

impl Lab {
    fn new(method: Method, text: &str) -> Self {
        Self::with(pool("p", method, text))
    }

    fn with(spec: PoolSpec) -> Self {
        let mut lab = Self {
            balancer: Balancer::new(1),
            now: Now::default(),
            spec: spec.clone(),
            open: Vec::new(),
        };
        lab.configure(spec);
        lab
    }

    fn configure(&mut self, spec: PoolSpec) {
        self.spec = spec.clone();
        self.balancer.configure(vec![spec], vec![table("t")], self.now);
    }

    /// The same pool with other members.
    fn reload(&mut self, text: &str) {
        self.configure(PoolSpec { members: members(text), ..self.spec.clone() });
    }

    fn wait(&mut self, seconds: u64) {
        self.now.0 += Duration::from_secs(seconds);
    }

    fn id(&self, member: &str) -> MemberId {
        let pool = self.balancer.pool_id("p").expect("the pool");
        self.balancer.member_id(pool, member).expect("a member")
    }

    fn table(&self) -> TableId {
        self.balancer.table_id("t").expect("the table")
    }

    fn view(&self, member: &str) -> MemberView {
        self.balancer.member(self.id(member)).expect("a view")
    }

    /// Applies `a+ b- c~`: probes that passed, failed, or found it quiescing; `ax`, `ar`, `ae`:
    /// disabled, draining, enabled.
    fn tell(&mut self, events: &str) {
        for event in events.split_whitespace() {
            let (name, what) = event.split_at(event.len() - 1);
            let id = self.id(name);
            let (balancer, now) = (&mut self.balancer, self.now);
            match what {
                "+" => balancer.probed(id, ProbeOutcome::Passed, now),
                "-" => balancer.probed(id, ProbeOutcome::Failed, now),
                "~" => balancer.probed(id, ProbeOutcome::Quiescing, now),
                "x" => balancer.set_admin_state(id, AdminState::Disabled, now),
                "r" => balancer.set_admin_state(id, AdminState::Draining, now),
                "e" => balancer.set_admin_state(id, AdminState::Enabled, now),
                _ => panic!("no event {event}"),
            };
        }
    }

    fn request(&mut self, client: IpAddr, sticky: bool, tried: &str) -> Result<Choice, Refusal> {
        let tried: Vec<_> = tried.split_whitespace().map(|name| self.id(name)).collect();
        let choice = self.balancer.choose(&Request {
            pool: self.balancer.pool_id("p").expect("the pool"),
            client,
            table: sticky.then(|| self.table()),
            tried: &tried,
            now: self.now,
        })?;
        self.open.push((choice.member, client));
        Ok(choice)
    }

    fn name(&self, choice: Result<Choice, Refusal>) -> String {
        match choice {
            Ok(choice) => {
                let mark = if choice.by == ChosenBy::FailOpen { "!" } else { "" };
                self.balancer.member_name(choice.member).expect("a name").to_owned() + mark
            }
            Err(Refusal::NoUsableMember) => "-".to_owned(),
            Err(Refusal::AllFull) => "#".to_owned(),
        }
    }

    /// Opens a connection without persistence; `a!` is a member chosen by failing open, `-` means
    /// none usable and `#` all full.
    fn choose(&mut self) -> String {
        let choice = self.request(client(0), false, "");
        self.name(choice)
    }

    fn retry(&mut self, tried: &str) -> String {
        let choice = self.request(client(0), false, tried);
        self.name(choice)
    }

    /// Opens a connection of a client with persistence.
    fn sticky(&mut self, number: u32) -> String {
        let choice = self.request(client(number), true, "");
        self.name(choice)
    }

    /// Opens and closes one connection after the other.
    fn one_by_one(&mut self, count: usize) -> String {
        let mut names = String::new();
        for _ in 0..count {
            names += &self.choose();
            self.close_all();
        }
        names
    }

    fn at_once(&mut self, count: usize) -> String {
        (0..count).map(|_| self.choose()).collect()
    }

    fn close_all(&mut self) {
        for (member, client) in std::mem::take(&mut self.open) {
            let table = self.balancer.table_id("t").map(|table| (table, client));
            self.balancer.release(member, self.now, table);
        }
    }
}

/// Who serves four connections, one after the other, after `events`.
#[track_caller]
fn check(spec: PoolSpec, events: &str, expected: &str) {
    let mut lab = Lab::with(spec);
    lab.tell(events);
    assert_eq!(lab.one_by_one(4), expected, "after {events}");
}

#[test]
fn only_enabled_members_that_are_up_are_chosen() {
    let members = pool("p", Method::RoundRobin, "a b c");
    for (events, expected) in [
        ("a+ b+ c+", "abca"),
        ("a+ b- c+", "acac"),
        ("a+ b~ c+", "acac"),
        ("a+ b+ c+ ax", "bcbc"),
        ("a+ b+ c+ ar", "bcbc"),
        ("a+ b+ c+ ax ae", "abca"),
        ("a+ b- c- b+", "abab"),
        ("a- b- c-", "----"),
        ("a- b~ c-", "----"),
        ("a+ b+ c+ ax br cx", "----"),
        ("a+ b- c- ax", "----"),
    ] {
        check(members.clone(), events, expected);
    }
}

#[test]
fn unknown_members_serve_until_the_first_one_is_up() {
    let members = pool("p", Method::RoundRobin, "a b c");
    check(members.clone(), "", "abca");
    check(members.clone(), "a-", "bcbc");
    check(members.clone(), "b+", "bbbb");
    check(members.clone(), "b+ bx", "acac"); // one that may not be chosen does not count as up
    let unmonitored = PoolSpec { monitored: false, ..members };
    check(unmonitored.clone(), "", "abca");
    check(unmonitored, "b+", "abca");
}

#[test]
fn weight_zero_is_never_chosen_by_the_method() {
    check(pool("p", Method::RoundRobin, "a*0 b"), "a+ b+", "bbbb");
    check(pool("p", Method::RoundRobin, "a*0 b"), "a+ b-", "----");
}

#[test]
fn fail_open_prefers_members_that_answer() {
    let members = pool("p", Method::RoundRobin, "a b c");
    let members = PoolSpec { when_all_down: WhenAllDown::TryAny, ..members };
    for (events, expected) in [
        ("a- b- c-", "a!b!c!a!"),
        ("a- b~ c-", "b!b!b!b!"),
        ("a- b- c- ax", "b!c!b!c!"),
        ("a- b- c- ax br cx", "----"),
        ("a- b- c+", "cccc"),
        ("a- b-", "cccc"),
    ] {
        check(members.clone(), events, expected);
    }
}

#[test]
fn lower_priority_group_serves_when_too_few_members_are_left() {
    let two = PoolSpec {
        priority_min_active: 2,
        ..pool("p", Method::RoundRobin, "a^10 b^10 c^5 d^5 e^1")
    };
    check(two.clone(), "a+ b+ c+ d+ e+", "abab");
    check(two.clone(), "a+ b- c+ d+ e+", "acda");
    check(two.clone(), "a- b- c+ d+ e+", "cdcd");
    check(two.clone(), "a- b- c- d+ e+", "dede");
    check(two, "a- b- c- d- e+", "eeee");
}

#[test]
fn full_members_are_passed_over_and_full_pools_refuse() {
    let mut lab = Lab::new(Method::RoundRobin, "a/1 b/2 c");
    lab.tell("a+ b+ c+ cx");
    assert_eq!(lab.at_once(4), "abb#");
    lab.tell("ce");
    assert_eq!(lab.at_once(2), "cc");
    lab.close_all();
    lab.tell("a- b- c-");
    assert_eq!(lab.choose(), "-");

    // A full group overflows into the next, and failing open respects limits too.
    let mut lab = Lab::with(PoolSpec {
        when_all_down: WhenAllDown::TryAny,
        ..pool("p", Method::RoundRobin, "a^2/1 b/1")
    });
    lab.tell("a+ b+");
    assert_eq!(lab.at_once(3), "ab#");
    lab.close_all();
    lab.tell("a- b-");
    assert_eq!(lab.at_once(3), "a!b!#");
}

#[test]
fn retry_goes_to_a_member_not_yet_tried() {
    let mut lab = Lab::new(Method::RoundRobin, "a b c^1 d");
    lab.tell("a+ b+ c+ d-");
    assert_eq!(lab.retry(""), "c");
    assert_eq!(lab.retry("c"), "a"); // even from a lower group
    assert_eq!(lab.retry("c a"), "b");
    assert_eq!(lab.retry("c b a"), "c"); // the best of the bad; not the one that is down
    lab.tell("cx ax");
    assert_eq!(lab.retry("b"), "b");

    let all_down = pool("p", Method::RoundRobin, "a b");
    let mut lab = Lab::with(PoolSpec { when_all_down: WhenAllDown::TryAny, ..all_down });
    lab.tell("a~ b-");
    assert_eq!(lab.retry("a"), "b!");
    assert_eq!(lab.retry("b"), "a!");
    assert_eq!(lab.retry("a b"), "a!");
}

#[test]
fn three_at_once_on_three_idle_members_get_one_each() {
    let mut lab = Lab::new(Method::LeastConnections, "a b c");
    lab.tell("a+ b+ c+");
    assert_eq!(lab.at_once(3), "abc");
}

#[test]
fn ten_shells_one_after_the_other_reach_each_of_five_members_twice() {
    for method in [Method::RoundRobin, Method::LeastConnections] {
        let mut lab = Lab::new(method, "a b c d e");
        lab.tell("a+ b+ c+ d+ e+");
        assert_eq!(lab.one_by_one(10), "abcdeabcde");
    }
}

/// The F5 recipe: two pools on the same hosts, and each sees the connections of the other.
#[test]
fn node_scope_counts_the_connections_of_every_pool() {
    for (scope, expected) in [(Scope::Node, "bbbb"), (Scope::Member, "abba")] {
        let shell = PoolSpec { scope, ..pool("p", Method::LeastConnections, "a@one b@two") };
        let jdbc = PoolSpec { scope, ..pool("jdbc", Method::LeastConnections, "j@one") };
        let mut lab = Lab::with(shell.clone());
        lab.balancer.configure(vec![shell, jdbc], vec![], lab.now);
        let pool = lab.balancer.pool_id("jdbc").expect("a pool");
        let request = Request { pool, client: client(0), table: None, tried: &[], now: lab.now };
        let loads: Vec<_> = (0..4).map(|_| lab.balancer.choose(&request).map(|c| c.load)).collect();
        assert_eq!(loads[3], Ok(Load { member: 4, node: 4, pool: 4 }));
        assert_eq!(lab.at_once(4), expected);
        let one = Load { member: if scope == Scope::Node { 0 } else { 2 }, node: 4, pool: 4 };
        assert_eq!(lab.view("a").open, one.member);
        assert_eq!(lab.view("a").node_open, one.node + one.member);
    }
}

#[test]
fn returning_member_starts_slowly_and_a_first_start_does_not() {
    let spec = PoolSpec {
        slow_start: Some(Duration::from_secs(100)),
        scope: Scope::Member,
        ..pool("p", Method::LeastConnections, "a b")
    };
    let mut lab = Lab::with(spec);
    lab.tell("a+ b+");
    let share = |lab: &mut Lab| {
        let picks = lab.at_once(1100);
        lab.close_all();
        picks.matches('b').count()
    };
    assert_eq!(share(&mut lab), 550);
    lab.tell("b- b+");
    assert_eq!(share(&mut lab), 100);
    lab.wait(50);
    assert!((389..=391).contains(&share(&mut lab))); // 0.55 of 1.55
    lab.wait(50);
    assert_eq!(share(&mut lab), 550);
    // An operator's enabling is a return as well, and so is joining a pool that serves already.
    lab.tell("bx be");
    assert_eq!(share(&mut lab), 100);
    lab.wait(100);
    lab.reload("a c");
    lab.tell("c+");
    let picks = lab.at_once(1100);
    assert_eq!(picks.matches('c').count(), 100);
}

#[test]
fn connect_failures_take_a_member_out_and_time_brings_it_back() {
    let mut lab = Lab::with(PoolSpec {
        monitored: false,
        connect_failures_max: 2,
        ..pool("p", Method::RoundRobin, "a b")
    });
    let (a, pool) = (lab.id("a"), lab.balancer.pool_id("p").expect("a pool"));
    let change = |from, to, cause| Some(Change { member: a, pool, from, to, cause });
    assert_eq!(lab.balancer.connect_failed(a, lab.now), None);
    assert_eq!(lab.balancer.connected(a, lab.now), None);
    assert_eq!(lab.balancer.connect_failed(a, lab.now), None);
    assert_eq!(
        lab.balancer.connect_failed(a, lab.now),
        change(Health::Unknown, Health::Down, Cause::ConnectFailures)
    );
    assert_eq!(lab.one_by_one(2), "bb");
    lab.wait(9);
    assert_eq!(lab.balancer.expire(lab.now), []);
    lab.wait(1);
    assert_eq!(lab.one_by_one(2), "ab");
    assert_eq!(
        lab.balancer.expire(lab.now),
        Vec::from_iter(change(Health::Down, Health::Unknown, Cause::RetryAfterFailures))
    );
    assert_eq!(lab.balancer.expire(lab.now), []);
}

#[test]
fn changes_say_what_happened() {
    let mut lab = Lab::new(Method::RoundRobin, "a b");
    let (a, pool) = (lab.id("a"), lab.balancer.pool_id("p").expect("a pool"));
    let change = |from, to, cause| Some(Change { member: a, pool, from, to, cause });
    lab.wait(5);
    assert_eq!(
        lab.balancer.probed(a, ProbeOutcome::Passed, lab.now),
        change(Health::Unknown, Health::Up, Cause::Probe)
    );
    assert_eq!(lab.balancer.probed(a, ProbeOutcome::Passed, lab.now), None);
    let cause = Cause::AdminState { from: AdminState::Enabled, to: AdminState::Draining };
    let draining = lab.balancer.set_admin_state(a, AdminState::Draining, lab.now);
    assert_eq!(draining, change(Health::Up, Health::Up, cause));
    assert_eq!(lab.balancer.set_admin_state(a, AdminState::Draining, lab.now), None);
    let view = lab.view("a");
    assert_eq!((view.health, view.since, view.cause), (Health::Up, lab.now, Some(Cause::Probe)));
    assert_eq!(lab.balancer.probed(MemberId(99), ProbeOutcome::Passed, lab.now), None);
}

#[test]
fn peaks_and_totals_count_per_member_node_and_pool() {
    let mut lab = Lab::new(Method::RoundRobin, "a@one b@one");
    lab.tell("a+ b+");
    assert_eq!(lab.at_once(4), "abab");
    let (member, client) = lab.open.pop().expect("an open connection");
    let load = lab.balancer.release(member, lab.now, Some((lab.table(), client)));
    assert_eq!(load, Load { member: 2, node: 4, pool: 4 }); // the closing one included
    lab.choose();
    lab.close_all();
    let counts = |open, open_max, total, total_ever| Counts { open, open_max, total, total_ever };
    assert_eq!((lab.view("a").open_max, lab.view("a").total), (3, 3));
    assert_eq!(lab.balancer.nodes()[0].counts, counts(0, 4, 5, 5));
    assert_eq!(lab.balancer.pools()[0].counts, counts(0, 4, 5, 5));
    lab.choose();
    lab.balancer.reset_counters();
    assert_eq!(lab.balancer.nodes()[0].counts, counts(1, 1, 0, 6));
    assert_eq!(lab.balancer.pools()[0].counts, counts(1, 1, 0, 6));
}

#[test]
fn a_reset_of_one_object_leaves_the_others() {
    let mut lab = Lab::new(Method::RoundRobin, "a@one b@two");
    lab.tell("a+ b+");
    lab.at_once(4);
    lab.close_all();
    let a = lab.view("a").id;
    assert!(lab.balancer.reset_member(a));
    assert_eq!((lab.view("a").total, lab.view("a").total_ever), (0, 2));
    assert_eq!((lab.view("b").total, lab.balancer.pools()[0].counts.total), (2, 4));
    assert!(lab.balancer.reset_node("two"));
    assert!(!lab.balancer.reset_node("three"));
    let totals: Vec<_> = lab.balancer.nodes().iter().map(|node| node.counts.total).collect();
    assert_eq!(totals, [2, 0]);
    let pool = lab.balancer.pools()[0].id;
    assert!(lab.balancer.reset_pool(pool));
    assert_eq!((lab.view("b").total, lab.balancer.pools()[0].counts.total), (0, 0));
    assert!(!lab.balancer.reset_member(MemberId(99)));
}

#[test]
fn peaks_are_forgotten_alone() {
    let mut lab = Lab::new(Method::RoundRobin, "a@one b@two");
    lab.tell("a+ b+");
    lab.at_once(4);
    lab.close_all();
    lab.choose();
    lab.balancer.forget_peaks();
    let counts = lab.balancer.pools()[0].counts;
    assert_eq!((counts.open, counts.open_max, counts.total), (1, 1, 5));
    assert_eq!((lab.view("b").open_max, lab.view("b").total), (lab.view("b").open, 2));
}
