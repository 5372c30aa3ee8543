//! What is counted, and counting anew.

use oxpecker_proxy::control::Selection;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::{Member, Net, connect, wait_until};

use crate::running::{Running, who};

fn two(net: &Net) -> String {
    format!(
        "node.a.address = \"{}\"\nnode.b.address = \"{}\"\n\
         pool.p = {{ port = 21050, monitor = \"none\", members = [\"a\"] }}\n\
         pool.q = {{ port = 21050, monitor = \"none\", members = [\"b\"], retries = 0 }}\n\
         virtual.v = {{ listen = \"{}\", pool = \"p\" }}\n\
         virtual.w = {{ listen = \"{}\", pool = \"q\" }}\n",
        net.ip(2),
        net.ip(3),
        net.addr(1),
        net.addr(4),
    )
}

#[test]
fn connects_ends_and_bytes_are_counted_where_they_belong() {
    let net = Net::new();
    let _member = Member::echo(net.addr(2));
    let gateway = Running::start(&two(&net));
    let mut client = connect(net.addr(1));
    client.check_echo(b"hello");
    client.finish();
    client.hear_rest();
    // Nobody listens behind the second pool.
    connect(net.addr(4)).hear_rest();
    let handle = &gateway.handle;
    let ends = |at: usize, words: &str| {
        let virtuals = handle.virtuals();
        virtuals[at].ends.iter().find(|end| end.1 == words).unwrap().2
    };
    wait_until("both ended", || ends(0, "finished") + ends(1, "no member could be connected") == 2);
    let pools = handle.pools();
    let (a, b) = (&pools[0].members[0], &pools[1].members[0]);
    assert_eq!((a.connects, a.connect_failures, a.connect_times.count()), (1, 0, 1));
    assert_eq!((b.connects, b.connect_failures, b.retries), (0, 1, 0));
    assert!(a.last_chosen.is_some());
    assert_eq!((a.traffic.bytes_in, a.traffic.bytes_out), (5, 5));
    let endings = handle.endings(10);
    assert_eq!(endings.len(), 1, "{endings:?}");
    assert_eq!((endings[0].end_state, endings[0].pool.as_str()), ("SC", "q"));
    let status = handle.status();
    assert_eq!((status.connections.total, status.worker_threads, status.draining), (2, 2, false));
    assert!(status.descriptors_open > 5 && status.descriptors_max >= status.descriptors_open);
}

#[test]
fn a_reset_counts_anew_and_leaves_what_only_grows() {
    let net = Net::new();
    let _members = [Member::echo(net.addr(2)), Member::echo(net.addr(3))];
    let gateway = Running::start(&two(&net));
    let handle = &gateway.handle;
    let mut clients = [connect(net.addr(1)), connect(net.addr(4))];
    clients.iter_mut().for_each(|client| client.check_echo(b"hello"));
    let selections = [Selection::Pool("p".into()), Selection::Node("a".into())];
    assert_eq!(handle.reset_statistics(&who(), &selections), Ok(3));
    clients.iter_mut().for_each(|client| client.check_echo(b"hi"));
    wait_until("all bytes are counted", || {
        handle.pools().iter().all(|pool| pool.members[0].traffic_ever.bytes_out == 7)
    });
    let pools = handle.pools();
    let (a, b) = (&pools[0].members[0], &pools[1].members[0]);
    assert_eq!((a.traffic.bytes_in, b.traffic.bytes_in), (2, 7));
    assert_eq!((a.connections.total, a.connections.total_ever, a.connections.open), (0, 1, 1));
    assert_eq!((b.connections.total, pools[1].connections.total), (1, 1));
    let nodes = handle.nodes();
    assert_eq!((nodes[0].traffic.bytes_in, nodes[1].traffic.bytes_in), (2, 7));
    assert_eq!((nodes[0].connections.total, nodes[1].connections.total), (0, 1));
    let virtuals = handle.virtuals();
    assert_eq!((virtuals[0].traffic.bytes_in, virtuals[0].connections.total), (7, 1));

    assert!(handle.reset_statistics(&who(), &[Selection::Virtual("x".into())]).is_err());
    handle.reset_statistics(&who(), &[Selection::Virtual("v".into())]).unwrap();
    let virtuals = handle.virtuals();
    assert_eq!((virtuals[0].traffic.bytes_in, virtuals[0].traffic_ever.bytes_in), (0, 7));
    // Two of each: pools, members, nodes, virtual servers.
    assert_eq!(handle.reset_statistics(&who(), &[]), Ok(8));
    assert_eq!(handle.status().connections.total, 0);
    assert_eq!(handle.status().connections.total_ever, 2);
    // Over a reload everything stays as it is.
    gateway.reload(&two(&net)).unwrap();
    let after = handle.pools();
    assert_eq!(after[0].members[0].traffic_ever.bytes_in, 7);
    assert_eq!(after[0].members[0].traffic.bytes_in, 0);
    assert_eq!(after[0].members[0].connects, 1);
}
