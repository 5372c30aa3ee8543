//! Session, query and connection ids, and the random bytes they are made of. Impala prints an id as
//! two little-endian halves; a query id has the low four bytes of its second half zero.

use std::fmt;

/// A 16-byte id, as it travels in a Thrift handle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id([u8; 16]);

impl Id {
    /// The id of nothing.
    pub(crate) const ZERO: Self = Self([0; 16]);

    /// A new session id, secret or connection id.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        fill_random(&mut bytes);
        Self(bytes)
    }

    /// A new query id: Impala keeps those bits free for fragment instances.
    pub(crate) fn random_query() -> Self {
        let mut id = Self::random();
        id.0[8..12].fill(0);
        id
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the text form, `hi:lo` in hexadecimal.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once(':')?;
        let half = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if plain { u64::from_str_radix(digits, 16).ok() } else { None }
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half(high)?.to_le_bytes());
        bytes[8..].copy_from_slice(&half(low)?.to_le_bytes());
        Some(Self(bytes))
    }

    /// Compares without leaking through time how many bytes agree.
    pub(crate) fn equals_secret(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0.iter()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for half in self.0.chunks(8) {
            if half.as_ptr() != self.0.as_ptr() {
                f.write_str(":")?;
            }
            for byte in half.iter().rev() {
                write!(f, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Random bytes from the kernel. Without them ids could repeat, so the process ends when there are
/// none.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel's random source cannot fail once the system is up");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_little_endian_halves() {
        let bytes: Vec<u8> = (0..16).map(|i| i * 0x11).collect();
        let id = Id::from_bytes(&bytes).unwrap();
        assert_eq!(id.to_string(), "7766554433221100:ffeeddccbbaa9988");
        assert_eq!(Id::parse("7766554433221100:ffeeddccbbaa9988"), Some(id));
    }

    #[test]
    fn query_ids_end_in_eight_zeros() {
        for _ in 0..20 {
            assert!(Id::random_query().to_string().ends_with("00000000"));
        }
    }

    #[test]
    fn refuses_other_texts() {
        for text in ["", ":", "12", "1:", "+1:2", "1:2:3", "11223344556677889:1", "x:1", "é:1"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
