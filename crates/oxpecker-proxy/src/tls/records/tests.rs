//! This record layer against rustls's own, in both roles, versions and with every suite.

use std::fs;
use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use oxpecker_testkit::{Authority, TempDir};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, ALL_CIPHER_SUITES};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::unbuffered::ConnectionState;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SignatureAlgorithm, SupportedCipherSuite,
};

use super::direction::header;
use super::*;

/// A certificate for `localhost` and its key, both in PEM.
static PAIR: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let dir = TempDir::new();
    let pair = Authority::new(dir.join("ca")).self_signed("own", &["DNS:localhost"], false);
    (fs::read(pair.certificate).unwrap(), fs::read(pair.key).unwrap())
});

/// Those that go with its kind of key.
fn suites() -> impl Iterator<Item = SupportedCipherSuite> {
    let fits = |suite: &SupportedCipherSuite| {
        suite.usable_for_signature_algorithm(SignatureAlgorithm::ECDSA)
    };
    ALL_CIPHER_SUITES.iter().copied().filter(fits)
}

fn configs(suite: SupportedCipherSuite) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let provider =
        Arc::new(CryptoProvider { cipher_suites: vec![suite], ..aws_lc_rs::default_provider() });
    let certificate = CertificateDer::from_pem_slice(&PAIR.0).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_secret_extraction = true;
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(&PAIR.1).unwrap())
        .unwrap();
    server.enable_secret_extraction = true;
    server.ticketer = aws_lc_rs::Ticketer::new().unwrap();
    (Arc::new(client), Arc::new(server))
}

/// rustls in the other role, and what it has not been given yet.
struct Peer {
    connection: Connection,
    sent: Vec<u8>,
}

impl Peer {
    fn take(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).unwrap();
            self.connection.process_new_packets().unwrap();
        }
        self.collect();
    }

    fn collect(&mut self) {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.sent).unwrap();
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.connection.set_buffer_limit(None);
        self.connection.writer().write_all(bytes).unwrap();
        self.collect();
    }

    /// Takes ciphertext, gives the plaintext.
    fn read(&mut self, mut cipher: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        while !cipher.is_empty() {
            let mut part = &cipher[..cipher.len().min(4000)];
            let length = part.len();
            self.connection.read_tls(&mut part).unwrap();
            cipher = &cipher[length - part.len()..];
            self.connection.process_new_packets().unwrap();
            let mut reader = self.connection.reader();
            let mut piece = vec![0; 100_000];
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                plain.extend_from_slice(&piece[..n]);
            }
        }
        self.collect();
        plain
    }
}

macro_rules! shake {
    ($session:expr, $peer:expr, $take_over:path) => {{
        let (mut session, mut peer) = ($session, $peer);
        let mut incoming = Vec::new();
        loop {
            peer.collect();
            incoming.append(&mut peer.sent);
            let status = session.process_tls_records(&mut incoming);
            let discard = status.discard;
            let mut outgoing = Vec::new();
            let mut done = false;
            match status.state.unwrap() {
                ConnectionState::EncodeTlsData(mut data) => {
                    outgoing.resize(20_000, 0);
                    let n = data.encode(&mut outgoing).unwrap();
                    outgoing.truncate(n);
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(_) => done = true,
                _ => {}
            }
            incoming.drain(..discard);
            peer.take(&outgoing);
            if done && !peer.connection.is_handshaking() && peer.sent.is_empty() {
                break;
            }
        }
        assert!(incoming.is_empty());
        ($take_over(session).unwrap(), peer)
    }};
}

fn as_server(suite: SupportedCipherSuite) -> (Records, Peer) {
    let (client, server) = configs(suite);
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(client, name).unwrap();
    let peer = Peer { connection: client.into(), sent: Vec::new() };
    shake!(UnbufferedServerConnection::new(server).unwrap(), peer, Records::of_server)
}

fn as_client(suite: SupportedCipherSuite) -> (Records, Peer) {
    let (client, server) = configs(suite);
    let name = ServerName::try_from("localhost").unwrap();
    let server = ServerConnection::new(server).unwrap();
    let peer = Peer { connection: server.into(), sent: Vec::new() };
    shake!(UnbufferedClientConnection::new(client, name).unwrap(), peer, Records::of_client)
}

fn each(test: impl Fn(Records, Peer)) {
    for suite in suites() {
        for pair in [as_server(suite), as_client(suite)] {
            test(pair.0, pair.1);
        }
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn seal(records: &mut Records, plain: &[u8]) -> Vec<u8> {
    let mut cipher = vec![0; plain.len() + (plain.len() / PLAIN_BYTES_MAX + 2) * 30 + 64];
    let n = records.seal(plain, &mut cipher).unwrap();
    cipher.truncate(n);
    cipher
}

fn open(records: &mut Records, cipher: &[u8]) -> Result<(Vec<u8>, Vec<u8>, bool), RecordError> {
    let mut plain = vec![0; cipher.len() + CIPHER_BYTES_MAX];
    let mut answers = Vec::new();
    let opened = records.open(cipher, &mut plain, &mut answers)?;
    plain.truncate(opened.plain);
    Ok((plain, answers, opened.closed))
}

#[test]
fn every_suite_both_ways() {
    each(|mut records, mut peer| {
        for size in [0, 1, 100, 2047, 2048, 2049, 16_383, 16_384, 16_385, 70_001, 262_144] {
            let plain = bytes(size);
            let cipher = seal(&mut records, &plain);
            assert_eq!(peer.read(&cipher), plain);
            peer.write(&plain);
            let cipher = std::mem::take(&mut peer.sent);
            assert_eq!(open(&mut records, &cipher).unwrap().0, plain);
        }
    });
}

#[test]
fn split_at_every_byte() {
    each(|mut records, mut peer| {
        let mut expected = Vec::new();
        for size in [1, 40, 3] {
            expected.extend(bytes(size));
            peer.write(&bytes(size));
        }
        let mut arrived = Vec::new();
        let mut got = Vec::new();
        for &byte in &std::mem::take(&mut peer.sent) {
            arrived.push(byte);
            let mut plain = vec![0; CIPHER_BYTES_MAX];
            let opened = records.open(&arrived, &mut plain, &mut Vec::new()).unwrap();
            got.extend_from_slice(&plain[..opened.plain]);
            arrived.drain(..opened.used);
        }
        assert_eq!((got, arrived.len()), (expected, 0));
    });
}

#[test]
fn no_more_than_there_is_room_for() {
    let (mut records, mut peer) = as_server(ALL_CIPHER_SUITES[0]);
    let plain = bytes(50_000);
    peer.write(&plain);
    let cipher = std::mem::take(&mut peer.sent);
    let (mut at, mut got) = (0, Vec::new());
    while got.len() < plain.len() {
        let mut room = vec![0; CIPHER_BYTES_MAX];
        let opened = records.open(&cipher[at..], &mut room, &mut Vec::new()).unwrap();
        assert!(opened.plain > 0);
        got.extend_from_slice(&room[..opened.plain]);
        at += opened.used;
    }
    assert_eq!((got, at), (plain, cipher.len()));
}

#[test]
fn a_changed_bit_anywhere_is_found() {
    for suite in suites() {
        let length = {
            let (_, mut peer) = as_server(suite);
            peer.write(&bytes(20));
            peer.sent.len()
        };
        // Of the header only the kind is looked at here: with another length it is another record.
        for at in [0].into_iter().chain(5..length) {
            let (mut records, mut peer) = as_server(suite);
            peer.write(&bytes(20));
            peer.sent[at] ^= 4;
            let error = open(&mut records, &peer.sent).unwrap_err();
            assert!(
                matches!(error, RecordError::Decrypt | RecordError::Unexpected),
                "byte {at}: {error}"
            );
        }
    }
}

#[test]
fn repeated_and_left_out_records_are_found() {
    each(|mut records, mut peer| {
        peer.write(b"one");
        let one = std::mem::take(&mut peer.sent);
        peer.write(b"two");
        let two = std::mem::take(&mut peer.sent);
        assert_eq!(open(&mut records, &one).unwrap().0, b"one");
        assert!(matches!(open(&mut records, &one), Err(RecordError::Decrypt)));
        assert_eq!(open(&mut records, &two).unwrap().0, b"two");
        peer.write(b"three");
        peer.sent.clear();
        peer.write(b"four");
        assert!(matches!(open(&mut records, &peer.sent), Err(RecordError::Decrypt)));
    });
}

#[test]
fn the_end_is_said_and_heard() {
    each(|mut records, mut peer| {
        let mut last = seal(&mut records, b"last");
        records.seal_close(&mut last).unwrap();
        assert_eq!(peer.read(&last), b"last");
        assert_eq!(peer.connection.reader().read(&mut [0]).unwrap(), 0);
        peer.connection.writer().write_all(b"last").unwrap();
        peer.connection.send_close_notify();
        peer.collect();
        let (plain, _, closed) = open(&mut records, &peer.sent).unwrap();
        assert_eq!((&plain[..], closed), (&b"last"[..], true));
    });
}

#[test]
fn a_fatal_alert_says_why() {
    each(|mut records, mut peer| {
        let mut alert = Vec::new();
        records.seal_fatal(AlertDescription::BadRecordMac, &mut alert).unwrap();
        peer.connection.read_tls(&mut &alert[..]).unwrap();
        let error = peer.connection.process_new_packets().unwrap_err();
        assert_eq!(error, rustls::Error::AlertReceived(AlertDescription::BadRecordMac));
    });
}

#[test]
fn keys_change_on_request_and_when_used_up() {
    for suite in suites() {
        for (mut records, mut peer) in [as_server(suite), as_client(suite)] {
            if !records.is_tls13 {
                records.tx.sequence = RECORDS_MAX;
                let error = records.seal(b"more", &mut [0; 100]).unwrap_err();
                assert!(matches!(error, RecordError::Exhausted));
                continue;
            }
            // The peer's new key, and ours in answer.
            peer.connection.refresh_traffic_keys().unwrap();
            peer.write(b"with the new key");
            let (plain, answers, _) = open(&mut records, &std::mem::take(&mut peer.sent)).unwrap();
            assert_eq!(plain, b"with the new key");
            assert!(!answers.is_empty());
            peer.take(&answers);
            let cipher = seal(&mut records, b"answered");
            assert_eq!(peer.read(&cipher), b"answered");
            // Ours at the limit: the announcement, with the old key, comes before the data.
            let (mut records, _) = as_server(suite);
            records.tx.sequence = RECORDS_MAX - 1;
            let cipher = seal(&mut records, &bytes(PLAIN_BYTES_MAX + 10));
            let lengths = [PLAIN_BYTES_MAX, KEY_UPDATE_MESSAGE.len(), 10];
            let mut at = 0;
            for length in lengths {
                let length = length + 1 + TAG_BYTES;
                assert_eq!(cipher[at..at + 5], header(APPLICATION_DATA, HEADER_BYTES + length));
                at += HEADER_BYTES + length;
            }
            assert_eq!((at, records.tx.sequence), (cipher.len(), 1));
        }
    }
}

#[test]
fn a_flood_of_key_updates_ends() {
    let (mut records, mut peer) = as_server(aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256);
    let mut result = Ok(());
    for _ in 0..=KEY_UPDATES_MAX {
        peer.connection.refresh_traffic_keys().unwrap();
        peer.collect();
        result = open(&mut records, &std::mem::take(&mut peer.sent)).map(drop);
    }
    assert!(matches!(result, Err(RecordError::TooMany)));
}

/// Encrypts as the peer would: with this side's own key for what it receives.
fn forged(records: &mut Records, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut cipher = vec![0; content.len() + 100];
    let sequence = records.rx.sequence;
    let n = records.rx.seal(records.is_tls13, kind, content, &mut cipher).unwrap();
    records.rx.sequence = sequence;
    cipher.truncate(n);
    cipher
}

#[test]
fn what_has_no_place_is_refused() {
    each(|mut records, _| {
        let plain_alert = [ALERT, 3, 3, 0, 2, 2, 40];
        assert!(open(&mut records, &plain_alert).is_err());
        let cipher = forged(&mut records, 20, &[1]);
        assert!(matches!(open(&mut records, &cipher), Err(RecordError::Unexpected)));
        let cipher = forged(&mut records, HANDSHAKE, &[13, 0, 0, 0]);
        let error = open(&mut records, &cipher).unwrap_err();
        assert!(matches!(error, RecordError::Unexpected), "{error}");
        assert!(matches!(open(&mut records, &[23, 3, 3, 0xff, 0xff]), Err(RecordError::TooLong)));
        assert!(matches!(open(&mut records, b"GET / HTTP"), Err(RecordError::Malformed)));
    });
}

#[test]
fn tls12_declines_to_negotiate_anew_and_not_for_ever() {
    let suite = aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let (mut records, _) = as_server(suite);
    for _ in 0..WARNINGS_MAX {
        let cipher = forged(&mut records, HANDSHAKE, &[CLIENT_HELLO, 0, 0, 1, 0]);
        assert!(!open(&mut records, &cipher).unwrap().1.is_empty());
    }
    let cipher = forged(&mut records, HANDSHAKE, &[CLIENT_HELLO, 0, 0, 1, 0]);
    assert!(matches!(open(&mut records, &cipher), Err(RecordError::TooMany)));
}

#[test]
fn a_key_update_may_come_in_parts_but_nothing_between() {
    let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let (mut records, _) = as_server(suite);
    let cipher = forged(&mut records, HANDSHAKE, &KEY_UPDATE_MESSAGE[..2]);
    assert!(open(&mut records, &cipher).unwrap().0.is_empty());
    let between = forged(&mut records, APPLICATION_DATA, b"x");
    let (mut other, _) = as_server(suite);
    let cipher = forged(&mut other, HANDSHAKE, &KEY_UPDATE_MESSAGE[..2]);
    open(&mut other, &cipher).unwrap();
    let cipher = forged(&mut other, HANDSHAKE, &KEY_UPDATE_MESSAGE[2..]);
    open(&mut other, &cipher).unwrap();
    assert_eq!(other.rx.sequence, 0);
    assert!(matches!(open(&mut records, &between), Err(RecordError::Unexpected)));
}
