//! The begin of a text that may be longer than anybody wants to keep.

/// Keeps the first bytes of a text, counts all of them, and tells two texts apart.
#[derive(Debug, Clone)]
pub struct Window {
    kept: Vec<u8>,
    bytes_max: usize,
    total: u64,
    fingerprint: u64,
}

/// FNV-1a, 64 bits: good enough to count equal statements, not to withstand an enemy.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// As [`Window::fingerprint`] of a whole text.
pub fn fingerprint(text: &[u8]) -> u64 {
    mix(FNV_BASIS, text)
}

fn mix(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

impl Window {
    /// Keeps up to `bytes_max`; allocates when the first text comes.
    pub const fn new(bytes_max: usize) -> Self {
        Self { kept: Vec::new(), bytes_max, total: 0, fingerprint: FNV_BASIS }
    }

    pub fn clear(&mut self) {
        self.kept.clear();
        self.total = 0;
        self.fingerprint = FNV_BASIS;
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.bytes_max.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.total += bytes.len() as u64;
        self.fingerprint = mix(self.fingerprint, bytes);
    }

    /// The begin, up to the window's size; may end inside a character.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Bytes of the whole text.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn is_cut(&self) -> bool {
        self.total > self.kept.len() as u64
    }

    /// Equal for equal texts, whatever their length.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Gives memory back; for connections that wait.
    pub fn release(&mut self) {
        self.kept = Vec::new();
    }
}
