//! One direction of a connection: its key, and single records encrypted and decrypted with it.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

use super::{APPLICATION_DATA, RecordError};

pub(super) const HEADER_BYTES: usize = 5;
pub(super) const EXPLICIT_NONCE_BYTES: usize = 8;
pub(super) const TAG_BYTES: usize = 16;

/// One direction's key and its next record.
pub(super) struct Direction {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    /// Each record carries the changing part of its nonce (AES-GCM in TLS 1.2).
    explicit_nonce: bool,
    pub(super) sequence: u64,
}

impl Direction {
    pub(super) fn new(
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
        is_tls13: bool,
    ) -> Result<Self, RecordError> {
        let (algorithm, key, iv, is_gcm) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv, true),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv, true),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
                (&CHACHA20_POLY1305, key, iv, false)
            }
            _ => return Err(RecordError::Unexpected),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| RecordError::Exhausted)?;
        let mut own_iv = [0; NONCE_LEN];
        own_iv.copy_from_slice(iv.as_ref());
        Ok(Self {
            key: LessSafeKey::new(key),
            iv: own_iv,
            explicit_nonce: is_gcm && !is_tls13,
            sequence,
        })
    }

    fn explicit_bytes(&self) -> usize {
        if self.explicit_nonce { EXPLICIT_NONCE_BYTES } else { 0 }
    }

    /// The nonce of the current record: never the same twice under one key, since every call
    /// that succeeds ends by counting on.
    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        for (byte, sequence) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= sequence;
        }
        nonce
    }

    fn count_on(&mut self) -> Result<(), RecordError> {
        self.sequence = self.sequence.checked_add(1).ok_or(RecordError::Exhausted)?;
        Ok(())
    }

    pub(super) fn seal(
        &mut self,
        is_tls13: bool,
        kind: u8,
        content: &[u8],
        cipher: &mut [u8],
    ) -> Result<usize, RecordError> {
        let explicit = self.explicit_bytes();
        let begin = HEADER_BYTES + explicit;
        let mut end = begin + content.len();
        let nonce = self.nonce();
        copy(&mut cipher[begin..end], content);
        if is_tls13 {
            cipher[end] = kind;
            end += 1;
        }
        cipher[HEADER_BYTES..begin].copy_from_slice(&nonce[NONCE_LEN - explicit..]);
        let header = header(if is_tls13 { APPLICATION_DATA } else { kind }, end + TAG_BYTES);
        cipher[..HEADER_BYTES].copy_from_slice(&header);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let room = &mut cipher[begin..end];
        let tag = if is_tls13 {
            self.key.seal_in_place_separate_tag(nonce, Aad::from(header), room)
        } else {
            let aad = Aad::from(self.aad12(kind, content.len()));
            self.key.seal_in_place_separate_tag(nonce, aad, room)
        };
        let tag = tag.map_err(|_| RecordError::Exhausted)?;
        cipher[end..end + TAG_BYTES].copy_from_slice(tag.as_ref());
        self.count_on()?;
        Ok(end + TAG_BYTES)
    }

    pub(super) fn open<'r>(
        &mut self,
        is_tls13: bool,
        kind: u8,
        body: &[u8],
        room: &'r mut [u8],
    ) -> Result<&'r [u8], RecordError> {
        let explicit = self.explicit_bytes();
        let (sealed, tag) = body.split_last_chunk::<TAG_BYTES>().ok_or(RecordError::Decrypt)?;
        let (from_record, sealed) =
            sealed.split_at_checked(explicit).ok_or(RecordError::Decrypt)?;
        let mut nonce = self.nonce();
        nonce[NONCE_LEN - explicit..].copy_from_slice(from_record);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let room = &mut room[..sealed.len()];
        let done = if is_tls13 {
            let aad = Aad::from(header(kind, HEADER_BYTES + body.len()));
            self.key.open_separate_gather(nonce, aad, sealed, tag, room)
        } else {
            let aad = Aad::from(self.aad12(kind, sealed.len()));
            self.key.open_separate_gather(nonce, aad, sealed, tag, room)
        };
        done.map_err(|_| RecordError::Decrypt)?;
        self.count_on()?;
        Ok(room)
    }

    fn aad12(&self, kind: u8, length: usize) -> [u8; 13] {
        let mut aad = [0; 13];
        aad[..8].copy_from_slice(&self.sequence.to_be_bytes());
        aad[8..11].copy_from_slice(&[kind, 3, 3]);
        aad[11..].copy_from_slice(&(length as u16).to_be_bytes());
        aad
    }
}

/// The header of a record of so many bytes, itself included.
pub(super) fn header(kind: u8, record_bytes: usize) -> [u8; HEADER_BYTES] {
    let [high, low] = ((record_bytes - HEADER_BYTES) as u16).to_be_bytes();
    [kind, 3, 3, high, low]
}

/// Copies in pieces below the size from which the C library uses `rep movsb`: on AMD's Zen 3 that
/// is several times slower than vector instructions unless both sides are aligned alike.
fn copy(to: &mut [u8], from: &[u8]) {
    const PIECE_BYTES: usize = 2048;
    for (to, from) in to.chunks_mut(PIECE_BYTES).zip(from.chunks(PIECE_BYTES)) {
        to.copy_from_slice(from);
    }
}
