//! Handles that find their way: what is put behind a secret tells any gateway with the same key
//! which coordinator made it.
//!
//! A tag names the coordinator and proves that a gateway wrote it behind just this handle. It does
//! not make a handle valid; its coordinator judges that as ever. It is 24 bytes: four that stand
//! for the coordinator's address, four for address and port, sixteen of HMAC-SHA-256 over both and
//! the handle. Without the key neither can a tag be made nor an address be read out of one.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use oxpecker_wire::scan::handle::{ID_BYTES, Id};

use super::place::Place;

pub(crate) const TAG_BYTES: usize = PLACE_BYTES + MAC_BYTES;
/// Of a handle's secret with its tag.
pub(crate) const TAGGED_BYTES: usize = ID_BYTES + TAG_BYTES;
const PLACE_BYTES: usize = 8;
const MAC_BYTES: usize = 16;

/// Shorter keys could be guessed.
pub(crate) const KEY_BYTES_MIN: usize = 32;

/// What a tag says of a coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaceMark {
    bytes: [u8; PLACE_BYTES],
    /// Which key it was made with.
    key: usize,
}

/// The keys of one virtual server. The first signs, all are believed.
pub(crate) struct Tags {
    keys: Vec<hmac::Key>,
}

impl std::fmt::Debug for Tags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tags {{ {} keys }}", self.keys.len())
    }
}

impl Tags {
    /// `None` without keys.
    pub(crate) fn new(keys: &[Vec<u8>]) -> Option<Self> {
        let keys: Vec<_> = keys.iter().map(|key| hmac::Key::new(HMAC_SHA256, key)).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// What goes behind the secret of a handle that `place` made.
    pub(crate) fn seal(&self, id: Id, secret: &[u8; ID_BYTES], place: &Place) -> [u8; TAG_BYTES] {
        let key = &self.keys[0];
        let mark = mark(key, place);
        let mut tag = [0; TAG_BYTES];
        tag[..PLACE_BYTES].copy_from_slice(&mark);
        tag[PLACE_BYTES..].copy_from_slice(&mac(key, id, secret, &mark));
        tag
    }

    /// What the tag behind a secret says, if one of our keys made it for just this handle.
    ///
    /// Takes the same time whatever is wrong, and whichever key it was.
    pub(crate) fn open(&self, id: Id, tagged: &[u8]) -> Option<PlaceMark> {
        let (secret, tag) = tagged.split_first_chunk::<ID_BYTES>()?;
        let (bytes, rest) = tag.split_first_chunk::<PLACE_BYTES>()?;
        let given: &[u8; MAC_BYTES] = rest.try_into().ok()?;
        let mut found = None;
        for (key, hmac_key) in self.keys.iter().enumerate() {
            let right = mac(hmac_key, id, secret, bytes);
            if verify_slices_are_equal(&right, given).is_ok() {
                found = Some(PlaceMark { bytes: *bytes, key });
            }
        }
        found
    }

    /// The one of `places` that a tag means: same address and port, or the only one with the
    /// address, for a session may be used over another of its coordinator's ports.
    pub(crate) fn find<'a, T>(
        &self,
        wanted: PlaceMark,
        places: impl Iterator<Item = (&'a Place, T)>,
    ) -> Option<T> {
        let key = self.keys.get(wanted.key)?;
        let (host, port) = wanted.bytes.split_at(PLACE_BYTES / 2);
        let mut others = Vec::new();
        for (place, value) in places {
            let mark = mark(key, place);
            if mark[..PLACE_BYTES / 2] != *host {
                continue;
            }
            if mark[PLACE_BYTES / 2..] == *port {
                return Some(value);
            }
            others.push(value);
        }
        if others.len() == 1 { others.pop() } else { None }
    }
}

fn mark(key: &hmac::Key, place: &Place) -> [u8; PLACE_BYTES] {
    let half = |text: String| {
        let tag = hmac::sign(key, text.as_bytes());
        let mut half = [0; PLACE_BYTES / 2];
        half.copy_from_slice(&tag.as_ref()[..PLACE_BYTES / 2]);
        half
    };
    let mut mark = [0; PLACE_BYTES];
    let (host, port) = mark.split_at_mut(PLACE_BYTES / 2);
    host.copy_from_slice(&half(format!("oxpecker host {}", place.host)));
    port.copy_from_slice(&half(format!("oxpecker place {} {}", place.host, place.port)));
    mark
}

fn mac(key: &hmac::Key, id: Id, secret: &[u8; ID_BYTES], mark: &[u8]) -> [u8; MAC_BYTES] {
    let mut context = hmac::Context::with_key(key);
    for part in [&b"oxpecker handle 1"[..], &id.0, secret, mark] {
        context.update(part);
    }
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&context.sign().as_ref()[..MAC_BYTES]);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Id = Id([7; 16]);
    const SECRET: [u8; 16] = [9; 16];

    fn place(host: &str, port: u16) -> Place {
        Place { host: host.into(), port }
    }

    fn tags(keys: &[u8]) -> Tags {
        Tags::new(&keys.iter().map(|&key| vec![key; KEY_BYTES_MIN]).collect::<Vec<_>>()).unwrap()
    }

    fn tagged(tags: &Tags, place: &Place) -> Vec<u8> {
        [&SECRET[..], &tags.seal(ID, &SECRET, place)].concat()
    }

    #[test]
    fn another_gateway_with_the_key_finds_the_coordinator() {
        let places =
            [place("10.0.0.1", 21_050), place("10.0.0.2", 21_050), place("10.0.0.2", 21_051)];
        for wanted in &places {
            let secret = tagged(&tags(&[1]), wanted);
            let other = tags(&[1]);
            let mark = other.open(ID, &secret).unwrap();
            let found = other.find(mark, places.iter().map(|place| (place, place)));
            assert_eq!(found, Some(wanted));
        }
    }

    #[test]
    fn the_only_port_of_an_address_will_do() {
        let tags = tags(&[1]);
        let mark = tags.open(ID, &tagged(&tags, &place("a", 21_050))).unwrap();
        let one = [place("a", 28_000), place("b", 28_000)];
        assert_eq!(tags.find(mark, one.iter().map(|p| (p, p.port))), Some(28_000));
        let two = [place("a", 28_000), place("a", 28_001)];
        assert_eq!(tags.find(mark, two.iter().map(|p| (p, p.port))), None);
    }

    #[test]
    fn keys_are_rotated() {
        let old = tagged(&tags(&[1]), &place("a", 1));
        let both = tags(&[2, 1]);
        let mark = both.open(ID, &old).unwrap();
        assert!(both.find(mark, [(&place("a", 1), ())].into_iter()).is_some());
        let new = tagged(&both, &place("a", 1));
        assert!(tags(&[2]).open(ID, &new).is_some());
        assert!(tags(&[2]).open(ID, &old).is_none());
    }

    #[test]
    fn forged_cut_and_replayed_tags_are_not_believed() {
        let tags = tags(&[1]);
        let good = tagged(&tags, &place("a", 1));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(tags.open(ID, &bad), None, "byte {at}");
            assert_eq!(tags.open(ID, &good[..at]), None, "cut to {at}");
        }
        assert_eq!(tags.open(ID, &[&good[..], b"x"].concat()), None);
        assert_eq!(tags.open(Id([8; 16]), &good), None);
    }
}
