//! One table by itself: ages, masks, bounds, and what open connections hold.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Now {
    Now(Duration::from_secs(seconds))
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn spec(entries_max: u32) -> TableSpec {
    TableSpec {
        name: "hue".to_owned(),
        timeout: Duration::from_secs(180),
        mask_v4: 32,
        mask_v6: 128,
        entries_max,
    }
}

const A: MemberId = MemberId(1);
const B: MemberId = MemberId(2);

#[test]
fn entry_lives_for_the_timeout_after_its_last_use() {
    let mut table = Table::new(spec(10));
    let client = ip("10.0.0.1");
    table.stick(client, A, at(0));
    assert_eq!(table.find(client, at(179)), Some(A));
    assert_eq!(table.find(client, at(180)), None);
    table.stick(client, A, at(179));
    assert_eq!(table.find(client, at(358)), Some(A));
    assert_eq!(table.find(client, at(359)), None);
}

#[test]
fn open_connection_holds_its_entry_and_the_timeout_begins_at_its_close() {
    let mut table = Table::new(spec(10));
    let client = ip("10.0.0.1");
    table.stick(client, A, at(0));
    table.opened(client, A);
    table.opened(client, A);
    table.closed(client, A, at(10));
    table.expire(at(10_000));
    assert_eq!(table.find(client, at(10_000)), Some(A));
    table.closed(client, A, at(20_000));
    assert_eq!(table.find(client, at(20_179)), Some(A));
    assert_eq!(table.find(client, at(20_180)), None);
    table.expire(at(20_180));
    assert_eq!(table.len(), 0);
}

#[test]
fn connections_to_a_former_member_neither_hold_nor_refresh_the_entry() {
    let mut table = Table::new(spec(10));
    let client = ip("10.0.0.1");
    table.stick(client, A, at(0));
    table.opened(client, A);
    table.stick(client, B, at(100));
    table.opened(client, B);
    table.closed(client, B, at(110));
    table.closed(client, A, at(120));
    assert_eq!(table.find(client, at(289)), Some(B));
    assert_eq!(table.find(client, at(290)), None);
    // Back to the former member while nothing is counted twice or lost.
    assert!(table.open.is_empty());
}

#[test]
fn masks_decide_who_is_the_same_client() {
    let masked = TableSpec { mask_v4: 24, mask_v6: 64, ..spec(10) };
    let whole = TableSpec { mask_v4: 0, mask_v6: 0, ..spec(10) };
    let exact = spec(10);
    let odd = TableSpec { mask_v4: 200, mask_v6: 200, ..spec(10) };
    for (spec, first, second, same) in [
        (&exact, "10.0.0.1", "10.0.0.2", false),
        (&exact, "10.0.0.1", "::ffff:10.0.0.1", true),
        (&exact, "fd00::1", "fd00::2", false),
        (&odd, "10.0.0.1", "10.0.0.2", false),
        (&masked, "10.0.0.1", "10.0.0.255", true),
        (&masked, "10.0.0.1", "10.0.1.1", false),
        (&masked, "10.0.0.1", "::ffff:10.0.0.77", true),
        (&masked, "fd00::1", "fd00::2:0:0:1", true),
        (&masked, "fd00::1", "fd00:0:0:1::1", false),
        (&whole, "10.0.0.1", "192.168.7.7", true),
        (&whole, "fd00::1", "2001:db8::", true),
        (&whole, "fd00::1", "10.0.0.1", false),
    ] {
        let mut table = Table::new(spec.clone());
        table.stick(ip(first), A, at(0));
        let found = table.find(ip(second), at(1)) == Some(A);
        assert_eq!(found, same, "{first} and {second}");
    }
}

/// Clients by their last digit.
fn client(digit: char) -> IpAddr {
    ip(&format!("10.0.0.{digit}"))
}

fn clients(table: &Table) -> String {
    table.entries.keys().filter_map(|ip| ip.to_string().pop()).collect()
}

#[test]
fn full_table_gives_up_the_entry_used_longest_ago() {
    for (uses, expected) in [("123", "123"), ("1234", "234"), ("12314", "134"), ("1231425", "245")]
    {
        let mut table = Table::new(spec(3));
        for (second, digit) in uses.chars().enumerate() {
            table.stick(client(digit), A, at(second as u64));
        }
        assert_eq!(clients(&table), expected, "after {uses}");
        assert_eq!(table.by_use.len(), table.entries.len());
    }
}

#[test]
fn eviction_spares_clients_that_are_connected_unless_all_are() {
    let mut table = Table::new(spec(3));
    for digit in ['1', '2', '3'] {
        table.stick(client(digit), A, at(0));
    }
    table.opened(client('1'), A);
    table.stick(client('4'), A, at(1));
    assert_eq!(clients(&table), "134");
    for digit in ['3', '4'] {
        table.opened(client(digit), A);
    }
    table.stick(client('5'), A, at(2));
    assert_eq!(table.len(), 3);
    assert_eq!(table.find(client('5'), at(2)), Some(A));
}

#[test]
fn expiry_is_bounded_and_complete_in_the_end() {
    let mut table = Table::new(spec(10_000));
    for host in 0..10_000u32 {
        table.stick(IpAddr::from(host.to_be_bytes()), A, at(0));
    }
    let mut left = Vec::new();
    while table.len() > 0 {
        table.expire(at(180));
        left.push(table.len());
    }
    assert_eq!(left, [5904, 1808, 0]);
}

#[test]
fn zero_timeout_and_zero_bound_are_harmless() {
    let mut table = Table::new(TableSpec { timeout: Duration::ZERO, ..spec(10) });
    table.stick(client('1'), A, at(0));
    table.opened(client('1'), A);
    table.expire(at(0));
    assert_eq!(table.find(client('1'), at(9)), Some(A));
    table.closed(client('1'), A, at(9));
    assert_eq!(table.find(client('1'), at(9)), None);

    let mut table = Table::new(spec(0));
    table.stick(client('1'), A, at(0));
    assert_eq!(table.len(), 0);
}

#[test]
fn new_settings_keep_entries_but_a_new_mask_does_not() {
    let mut table = Table::new(spec(10));
    for digit in ['1', '2', '3'] {
        table.stick(client(digit), A, at(0));
    }
    table.configure(TableSpec { timeout: Duration::from_secs(3600), ..spec(2) }, at(1));
    assert_eq!(clients(&table), "23");
    assert_eq!(table.find(client('2'), at(3599)), Some(A));
    table.configure(TableSpec { mask_v4: 24, ..spec(2) }, at(1));
    assert_eq!(table.len(), 0);
}

#[test]
fn entries_can_be_shown_and_forgotten() {
    let mut table = Table::new(spec(10));
    table.stick(client('2'), B, at(5));
    table.stick(client('1'), A, at(0));
    table.opened(client('1'), A);
    let one = EntryView { client: client('1'), member: A, used: at(0), open: 1 };
    let two = EntryView { client: client('2'), member: B, used: at(5), open: 0 };
    assert_eq!(table.iter(at(10)).collect::<Vec<_>>(), [one, two]);
    assert_eq!(table.iter(at(185)).collect::<Vec<_>>(), [one]);
    assert!(table.forget(client('1')));
    assert!(!table.forget(client('1')));
    assert_eq!(clients(&table), "2");
}

/// What may happen to a table, with few enough clients and members that they meet.
#[derive(Debug, Clone)]
enum Event {
    Open(u8, u32),
    Close(usize),
    Wait(u64),
    Expire,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..4u8, 0..3u32).prop_map(|(client, member)| Event::Open(client, member)),
        3 => (0..8usize).prop_map(Event::Close),
        2 => (0..200u64).prop_map(Event::Wait),
        1 => Just(Event::Expire),
    ]
}

proptest! {
    /// Expiry, rewriting and counting agree with a model that keeps every connection in a list.
    #[test]
    fn table_agrees_with_a_naive_model(events in proptest::collection::vec(event(), 1..200)) {
        let mut table = Table::new(spec(10));
        let mut now = 0;
        let mut open: Vec<(u8, u32)> = Vec::new();
        let mut last = BTreeMap::<u8, (u32, u64)>::new(); // member and last use by client
        let address = |client: u8| IpAddr::from([10, 0, 0, client]);
        for event in events {
            match event {
                Event::Open(client, member) => {
                    table.stick(address(client), MemberId(member), at(now));
                    table.opened(address(client), MemberId(member));
                    last.insert(client, (member, now));
                    open.push((client, member));
                }
                Event::Close(index) if index < open.len() => {
                    let (client, member) = open.remove(index);
                    table.closed(address(client), MemberId(member), at(now));
                    match last.get_mut(&client) {
                        Some((current, used)) if *current == member => *used = now,
                        _ => {}
                    }
                }
                Event::Close(_) => {}
                Event::Wait(seconds) => now += seconds,
                Event::Expire => table.expire(at(now)),
            }
            last.retain(|client, (member, used)| {
                let held = open.contains(&(*client, *member));
                held || now - *used < 180
            });
            for client in 0..4 {
                let expected = last.get(&client).map(|(member, _)| MemberId(*member));
                prop_assert_eq!(table.find(address(client), at(now)), expected);
            }
        }
    }
}
