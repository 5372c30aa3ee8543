//! Handles of HiveServer2: an id and a secret, and where in its message each stands.

use std::fmt;

/// Bytes of an id and of a secret as coordinators make them.
pub const ID_BYTES: usize = 16;

/// Longest secret that is kept; longer ones are only measured.
pub const SECRET_BYTES_MAX: usize = 64;

/// The id of a session or operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; ID_BYTES]);

impl Id {
    /// As Impala prints it: two little-endian halves.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (high, rest) = text.split_first_chunk::<16>()?;
        let low = rest.strip_prefix(b":")?;
        let half = |digits: &[u8]| {
            let valid = digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit);
            let text = std::str::from_utf8(digits).ok().filter(|_| valid)?;
            u64::from_str_radix(text, 16).ok()
        };
        let (high, low) = (half(high)?.to_le_bytes(), half(low)?.to_le_bytes());
        let mut id = [0; ID_BYTES];
        id[..8].copy_from_slice(&high);
        id[8..].copy_from_slice(&low);
        Some(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = self.0.split_at(8);
        let number = |half: &[u8]| half.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
        write!(f, "{:016x}:{:016x}", number(high), number(low))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A handle as it stands in a message. Whoever holds the secret may use it, so it is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    guid: [u8; ID_BYTES],
    guid_length: u32,
    secret: [u8; SECRET_BYTES_MAX],
    secret_length: u32,
    /// Where the secret's length field is, in bytes from the begin of the message.
    pub secret_at: u64,
    has_guid: bool,
    has_secret: bool,
}

impl Handle {
    pub(super) const EMPTY: Self = Self {
        guid: [0; ID_BYTES],
        guid_length: 0,
        secret: [0; SECRET_BYTES_MAX],
        secret_length: 0,
        secret_at: 0,
        has_guid: false,
        has_secret: false,
    };

    /// `None` when it has not the length that ids have.
    pub fn id(&self) -> Option<Id> {
        (self.guid_length as usize == ID_BYTES).then_some(Id(self.guid))
    }

    /// `None` when it is longer than any of ours.
    pub fn secret(&self) -> Option<&[u8]> {
        self.secret.get(..self.secret_length as usize)
    }

    /// As its message says, which may be more than is kept.
    pub fn lengths(&self) -> (u32, u32) {
        (self.guid_length, self.secret_length)
    }

    /// True: there was one before.
    pub(super) fn begin_guid(&mut self, length: u32) -> bool {
        self.guid_length = length;
        std::mem::replace(&mut self.has_guid, true)
    }

    /// True: there was one before.
    pub(super) fn begin_secret(&mut self, length: u32, at: u64) -> bool {
        self.secret_length = length;
        self.secret_at = at;
        std::mem::replace(&mut self.has_secret, true)
    }

    pub(super) fn guid_part(&mut self, at: usize, bytes: &[u8]) {
        copy(&mut self.guid, at, bytes);
    }

    pub(super) fn secret_part(&mut self, at: usize, bytes: &[u8]) {
        copy(&mut self.secret, at, bytes);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (guid, secret) = self.lengths();
        write!(f, "Handle {{ id: {:?}, lengths: {guid}, {secret}, secret: *** }}", self.id())
    }
}

/// As much of `bytes` as there is room for.
fn copy(to: &mut [u8], at: usize, bytes: &[u8]) {
    let room = to.get_mut(at..).unwrap_or_default();
    let count = room.len().min(bytes.len());
    room[..count].copy_from_slice(&bytes[..count]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/impala.md, "Handles".
    #[test]
    fn ids_are_printed_as_impala_prints_them() {
        let id = Id(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
        assert_eq!(id.to_string(), "7766554433221100:ffeeddccbbaa9988");
        assert_eq!(Id::parse(id.to_string().as_bytes()), Some(id));
        for bad in [
            "",
            "7766554433221100",
            "7766554433221100:ffeeddccbbaa998",
            "+766554433221100:ffeeddccbbaa9988",
        ] {
            assert_eq!(Id::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
