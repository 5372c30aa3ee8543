//! Connections that are open, those that ended badly, and how an operator ends one.

use oxpecker_proxy::control::ConnectionFilter;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Ending, Member, Net, connect, connect_from, wait_until};

use crate::running::{Running, who};

fn two(net: &Net) -> String {
    format!(
        "node.a.address = \"{}\"\nnode.b.address = \"{}\"\n\
         pool.p = {{ port = 21050, monitor = \"none\", members = [\"a\", \"b\"], method = \"round-robin\" }}\n\
         virtual.v = {{ listen = \"{}\", pool = \"p\" }}\n",
        net.ip(2),
        net.ip(3),
        net.addr(1)
    )
}

#[test]
fn open_connections_are_listed_found_and_ended_one_by_one() {
    let net = Net::new();
    let _members = [Member::echo(net.addr(2)), Member::echo(net.addr(3))];
    let gateway = Running::start(&two(&net));
    let handle = &gateway.handle;
    let mut clients: Vec<_> = (1..5).map(|n| connect_from(net.client(n), net.addr(1))).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"four"));
    let all = |filter| handle.connections(&filter, 100);
    wait_until("all are listed", || all(ConnectionFilter::default()).0.len() == 4);
    let (found, more) = handle.connections(&ConnectionFilter::default(), 3);
    assert_eq!((found.len(), more), (3, true));

    let address = clients[2].local_addr().unwrap().to_string();
    let search = ConnectionFilter { search: Some(address.clone()), ..Default::default() };
    let (found, more) = all(search.clone());
    assert_eq!((found.len(), more), (1, false));
    let one = &found[0];
    assert_eq!((one.client.as_str(), one.virtual_server.as_str()), (address.as_str(), "v"));
    assert_eq!((one.bytes_in, one.bytes_out), (4, 4));
    let member = one.member.clone().unwrap();
    let of_member =
        ConnectionFilter { member: Some(("p".into(), member.clone())), ..Default::default() };
    assert_eq!(all(of_member).0.len(), 2);

    assert!(handle.kill_connection(&who(), one.id));
    assert_eq!(clients[2].hear_rest().1, Ending::Reset);
    wait_until("it is gone", || all(search.clone()).0.is_empty());
    assert!(!handle.kill_connection(&who(), one.id));
    clients[0].check_echo(b"still here");

    let ending = handle.endings(10).remove(0);
    assert_eq!((ending.end_state, ending.reason), ("KD", "ended by an operator"));
    assert_eq!((ending.id, ending.client, ending.member), (one.id, address, Some(member)));
    let virtuals = handle.virtuals();
    let killed = virtuals[0].ends.iter().find(|(_, words, _)| *words == "ended by an operator");
    assert_eq!(killed.unwrap().2, 1);
}

#[test]
fn an_operator_ends_all_connections_of_a_member() {
    let net = Net::new();
    let members = [Member::echo(net.addr(2)), Member::echo(net.addr(3))];
    let gateway = Running::start(&two(&net));
    let mut clients: Vec<_> = (0..4).map(|_| connect(net.addr(1))).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
    assert_eq!(gateway.handle.kill_connections(&who(), "p", "a:21050"), Ok(2));
    members[0].wait_open(0);
    members[1].wait_open(2);
    let text = "admin:alice connections-ended: 2 connections ended by an operator";
    assert_eq!(gateway.texts("p/a:21050"), [text]);
    assert!(gateway.handle.kill_connections(&who(), "p", "x:1").is_err());
}

#[test]
fn persistence_is_shown_and_forgotten() {
    let net = Net::new();
    let _members = [Member::echo(net.addr(2)), Member::echo(net.addr(3))];
    let text = two(&net).replace("pool = \"p\"", "pool = \"p\", persistence = \"source_addr\"");
    let gateway = Running::start(&text);
    let handle = &gateway.handle;
    let ips = [net.client(1), net.client(2)];
    let mut clients: Vec<_> = ips.iter().map(|ip| connect_from(*ip, net.addr(1))).collect();
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
    let (entries, more) = handle.persistence("v", 1).unwrap();
    assert_eq!((entries.len(), more), (1, true));
    let (entries, more) = handle.persistence("v", 10).unwrap();
    assert_eq!((entries.len(), more), (2, false));
    assert_eq!((entries[0].client, entries[0].open), (ips[0], 1));
    assert!(entries[0].member.ends_with(":21050"));
    assert_eq!(handle.forget(&who(), "v", ips[0]), Ok(true));
    assert_eq!(handle.forget(&who(), "v", ips[0]), Ok(false));
    assert_eq!(handle.clear_persistence(&who(), "v"), Ok(1));
    assert!(handle.persistence("v", 10).unwrap().0.is_empty());
    assert!(handle.persistence("w", 10).is_err());
}
