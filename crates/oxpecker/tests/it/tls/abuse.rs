//! What TLS allows and nobody needs, and what it does not allow.

use oxpecker_testkit::certificates::openssl;
use oxpecker_testkit::client::Talk;
use oxpecker_testkit::clients::Client;
use oxpecker_testkit::{Gateway, Member, connect};

use super::sessions::wait_ticket;
use super::{Front, NAME, look, s_client};

const DEBUG: &str = "[log]\nlevel = \"debug\"";

#[track_caller]
fn started(front: &mut Front) -> (Gateway, Member) {
    front.site = std::mem::replace(&mut front.site, crate::site::Site::new(0)).top(DEBUG);
    let member = Member::echo(front.site.member_addr(1));
    (front.site.start(), member)
}

/// Lines that begin with these letters are commands to `openssl s_client`.
#[test]
fn new_keys_in_mid_stream() {
    let mut front = Front::new(1);
    let (gateway, _member) = started(&mut front);
    let mut client = Client::start(s_client(front.site.front(), &["-tls1_3"]));
    client.out.wait("Verify return code");
    // `K` asks us for new keys as well.
    for (turn, command) in ["k", "K", "K", "k"].into_iter().enumerate() {
        client.say(command);
        client.err.wait_count(turn + 1, "KEYUPDATE");
        let line = format!("after {turn}");
        client.say(&line);
        client.out.wait(&line);
    }
    client.wait().ok();
    assert_eq!(gateway.wait_record(1).letters, "--");
}

/// Renegotiation has been the way in for many, and costs the server most.
#[test]
fn renegotiation_is_refused() {
    let mut front = Front::new(1);
    let (gateway, _member) = started(&mut front);
    let mut other = front.talk(&[]);
    let mut client = Client::start(s_client(front.site.front(), &["-tls1_2"]));
    client.out.wait("Verify return code");
    client.say("before");
    client.out.wait("before");
    client.say("R");
    client.err.wait("RENEGOTIATING");
    let said = client.wait().fails();
    assert!(said.contains("no renegotiation"), "{said}");
    gateway.wait_record(1);
    assert_eq!(other.ask("still here"), "still here");
}

/// Early data can be repeated by others, and a statement that is repeated runs twice.
#[test]
fn early_data_is_not_offered() {
    let mut front = Front::new(1);
    let (_gateway, _member) = started(&mut front);
    let file = front.dir.join("session").display().to_string();
    let options = ["-tls1_3", "-servername", NAME];
    let first = [&options[..], &["-sess_out", &file]].concat();
    let client = Client::start(s_client(front.site.front(), &first));
    wait_ticket(&file);
    client.wait().ok();
    let session = openssl(&["sess_id", "-noout", "-text", "-in", &file]);
    assert!(session.contains("Max Early Data: 0"), "{session}");
    let early = front.dir.write("early", "insert into t\n").display().to_string();
    let again = [&options[..], &["-sess_in", &file, "-early_data", &early]].concat();
    let out = look(front.site.front(), &again).ok();
    assert!(out.contains("\nReused, TLSv1.3") && out.contains("Early data was not sent"), "{out}");
}

/// A record of a handshake with this message.
fn record(message: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// They are told off at once: nobody has to wait for a timeout, and nothing is gathered.
#[test]
fn endless_hellos_are_not_listened_to() {
    let mut front = Front::new(1);
    front.site = front.site.profile("handshake_timeout = \"10m\"");
    let (gateway, _member) = started(&mut front);
    // One that says it is longer than any, one that is as long as can be, and what is empty.
    let longer = record(&[&[1, 1, 0, 0][..], &[0; 16_000]].concat());
    let part = [0; 16_384];
    let longest: Vec<u8> = std::iter::once(record(&[&[1, 0, 255, 255][..], &part[4..]].concat()))
        .chain(std::iter::repeat_n(record(&part), 4))
        .flatten()
        .collect();
    let empty = record(&[]).repeat(10_000);
    let cipher_changes = [20, 3, 3, 0, 1, 1].repeat(10_000);
    let warnings = [21, 3, 3, 0, 2, 1, 90].repeat(10_000);
    for (number, bytes) in
        [longer, longest, empty, cipher_changes, warnings].into_iter().enumerate()
    {
        let mark = gateway.out.mark();
        let mut client = connect(front.site.front());
        // It may be cut while it speaks.
        let _ = std::io::Write::write_all(&mut client, &bytes);
        client.hear_rest();
        let line = gateway.out.wait_since(mark, "TLS handshake with a client failed");
        assert!(!line.contains("not complete within"), "{number}: {line}");
    }
    let mut other = front.talk(&[]);
    assert_eq!(other.ask("still here"), "still here");
}

/// Before the handshake is over, nobody may make the gateway keep more than one hello for it.
#[test]
fn halves_of_hellos_cost_little_memory() {
    const CLIENTS: usize = 500;
    let mut front = Front::new(1);
    front.site = front.site.profile("handshake_timeout = \"10m\"");
    let (gateway, _member) = started(&mut front);
    let mut warm = front.talk(&[]);
    assert_eq!(warm.ask("warm"), "warm");
    let before = gateway.rss_bytes();
    let message = [&[1, 0, 255, 255][..], &[0; 16_380]].concat();
    let hello = [record(&message), record(&[0; 16_384]).repeat(2)].concat();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = connect(front.site.front());
            client.say(&hello);
            client
        })
        .collect();
    // A whole handshake after them: they have been read.
    let mut other = front.talk(&[]);
    assert_eq!(other.ask("still here"), "still here");
    let grown = gateway.rss_bytes().saturating_sub(before) / CLIENTS as u64;
    assert!(grown < 160 * 1024, "{grown} bytes each");
    drop(clients);
    gateway.wait_record(CLIENTS);
}
