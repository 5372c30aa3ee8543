//! What generator and backend say to each other: 100-byte requests, and a pseudo-random byte
//! stream either side can make from a seed. Holds no sockets.

/// Every request has this size; it is also the "100 B asked" of the measured works.
pub(crate) const REQUEST_BYTES: usize = 100;

/// Marks a request, so that displaced bytes are noticed at once.
const MAGIC: &[u8; 7] = b"oxbench";

/// Who ends its direction first in a byte check; the other side holds half of its bytes back
/// until it has seen that end, which proves that a half-closed connection still carries bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClosesFirst {
    Client,
    Backend,
}

/// One byte check over one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckPlan {
    /// Under this number the backend keeps its verdict.
    pub(crate) id: u64,
    pub(crate) seed: u64,
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
    pub(crate) closes_first: ClosesFirst,
}

impl CheckPlan {
    pub(crate) fn up_seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn down_seed(&self) -> u64 {
        !self.seed
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Answer with so many bytes, then read the next request.
    Answer {
        bytes: u64,
    },
    /// Write without end, at most so long.
    Stream {
        millis: u64,
    },
    Check(CheckPlan),
    /// How did the check with this number end? Answered with [`Verdict::encode`].
    Verdict {
        id: u64,
    },
}

impl Request {
    pub(crate) fn encode(&self) -> [u8; REQUEST_BYTES] {
        let (op, numbers) = match *self {
            Self::Answer { bytes } => (b'A', [bytes, 0, 0, 0, 0]),
            Self::Stream { millis } => (b'S', [millis, 0, 0, 0, 0]),
            Self::Verdict { id } => (b'V', [id, 0, 0, 0, 0]),
            Self::Check(plan) => {
                let first = u64::from(plan.closes_first == ClosesFirst::Backend);
                (b'C', [plan.id, plan.seed, plan.up_bytes, plan.down_bytes, first])
            }
        };
        let mut bytes = [0; REQUEST_BYTES];
        bytes[0] = op;
        bytes[1..8].copy_from_slice(MAGIC);
        for (slot, number) in bytes[8..48].chunks_exact_mut(8).zip(numbers) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// `None` if these bytes are no request.
    pub(crate) fn decode(bytes: &[u8; REQUEST_BYTES]) -> Option<Self> {
        if &bytes[1..8] != MAGIC {
            return None;
        }
        let mut numbers = [0; 5];
        for (number, slot) in numbers.iter_mut().zip(bytes[8..48].chunks_exact(8)) {
            *number = u64::from_le_bytes(slot.try_into().ok()?);
        }
        let [first, second, third, fourth, fifth] = numbers;
        Some(match bytes[0] {
            b'A' => Self::Answer { bytes: first },
            b'S' => Self::Stream { millis: first },
            b'V' => Self::Verdict { id: first },
            b'C' => Self::Check(CheckPlan {
                id: first,
                seed: second,
                up_bytes: third,
                down_bytes: fourth,
                closes_first: if fifth == 0 { ClosesFirst::Client } else { ClosesFirst::Backend },
            }),
            _ => return None,
        })
    }
}

/// What the backend found on its side of a byte check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    Running,
    Good,
    Bad,
}

impl Verdict {
    pub(crate) fn encode(self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        bytes[0] = match self {
            Self::Unknown => b'u',
            Self::Running => b'r',
            Self::Good => b'g',
            Self::Bad => b'b',
        };
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; REQUEST_BYTES]) -> Self {
        match bytes[0] {
            b'r' => Self::Running,
            b'g' => Self::Good,
            b'b' => Self::Bad,
            _ => Self::Unknown,
        }
    }
}

/// Writes the stream of `seed` from `offset` on into `out`.
pub(crate) fn fill(seed: u64, offset: u64, out: &mut [u8]) {
    let (mut index, skip) = (offset / 8, (offset % 8) as usize);
    let mut rest = out;
    if skip > 0 {
        let word = word(seed, index).to_le_bytes();
        let take = rest.len().min(8 - skip);
        let (head, tail) = rest.split_at_mut(take);
        head.copy_from_slice(&word[skip..skip + take]);
        rest = tail;
        index += 1;
    }
    for (slot, at) in rest.chunks_mut(8).zip(index..) {
        let word = word(seed, at).to_le_bytes();
        let take = slot.len();
        slot.copy_from_slice(&word[..take]);
    }
}

/// Are these bytes the stream of `seed` from `offset` on?
pub(crate) fn matches(seed: u64, offset: u64, data: &[u8]) -> bool {
    let mut expected = [0; 4096];
    let mut at = offset;
    for piece in data.chunks(expected.len()) {
        let expected = &mut expected[..piece.len()];
        fill(seed, at, expected);
        if piece != expected {
            return false;
        }
        at += piece.len() as u64;
    }
    true
}

/// SplitMix64: any word of the stream can be made without the ones before it.
fn word(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
