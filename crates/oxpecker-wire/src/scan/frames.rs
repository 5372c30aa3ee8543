//! SASL frames after the negotiation: a length, then so many bytes of the Thrift stream. A frame
//! need not hold a whole message, nor only one.

use super::Fault;

/// Impala's own limit for a message is 2 GiB; a greater length is Thrift without SASL, read wrongly.
const FRAME_BYTES_MAX: u32 = i32::MAX as u32;

/// Takes the lengths out of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frames {
    header: [u8; 4],
    header_length: u8,
    left: u32,
}

impl Frames {
    /// The payload at the front of `bytes`: how many bytes to pass over, and how many to take.
    /// Call again with what is behind. Both are 0 only when `bytes` is empty.
    pub fn next(&mut self, bytes: &[u8]) -> Result<(usize, usize), Fault> {
        let mut passed = 0;
        // More than once for frames of no length.
        while self.left == 0 {
            let have = usize::from(self.header_length);
            let count = (4 - have).min(bytes.len() - passed);
            self.header[have..have + count].copy_from_slice(&bytes[passed..passed + count]);
            self.header_length += count as u8;
            passed += count;
            if self.header_length < 4 {
                return Ok((passed, 0));
            }
            self.header_length = 0;
            self.left = u32::from_be_bytes(self.header);
            if self.left > FRAME_BYTES_MAX {
                return Err(Fault::FrameTooLong(self.left));
            }
        }
        let count = (self.left as usize).min(bytes.len() - passed);
        Ok((passed, count))
    }

    /// So many bytes of the payload that [`Frames::next`] showed were taken.
    pub fn took(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u32);
    }

    /// At a place where the peer may end its stream.
    pub fn is_between(&self) -> bool {
        self.left == 0 && self.header_length == 0
    }
}
