//! The record layer once the handshake is over (RFC 8446 section 5; for TLS 1.2 RFC 5246
//! section 6.2, RFC 5288 and RFC 7905).
//!
//! rustls shakes hands, derives the keys and keeps the secrets; the records themselves are
//! encrypted here, in the buffer that they are sent from, and decrypted straight into the buffer
//! that they are passed on from. rustls's own layer moves every byte through two more buffers,
//! which costs more than the encryption. Works on bytes alone: no socket here.

mod direction;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{AlertDescription, ExtractedSecrets, ProtocolVersion};

use direction::{Direction, EXPLICIT_NONCE_BYTES, HEADER_BYTES, TAG_BYTES};

/// Most plaintext that one record carries.
pub(super) const PLAIN_BYTES_MAX: usize = 16 * 1024;

/// What a record is longer than its plaintext, at most: header, explicit nonce, type, tag.
pub(super) const OVERHEAD_BYTES_MAX: usize = HEADER_BYTES + EXPLICIT_NONCE_BYTES + 1 + TAG_BYTES;

/// Padding and expansion that a peer may use (TLS 1.2's limit is the larger one).
const CIPHER_BYTES_MAX: usize = PLAIN_BYTES_MAX + 2048;

/// Records under one key: well below the limit of AES-GCM, 2^24.5 (RFC 8446, section 5.5).
const RECORDS_MAX: u64 = 1 << 23;

/// A handshake message after the handshake: a session ticket is the longest.
const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// Key updates that a peer may make without sending any data in between.
const KEY_UPDATES_MAX: u8 = 32;
/// Warnings, and requests to negotiate anew, that are answered or passed over in all.
const WARNINGS_MAX: u8 = 4;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const HELLO_REQUEST: u8 = 0;
const CLIENT_HELLO: u8 = 1;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("the keys cannot be taken over: {0}")]
    Keys(#[from] rustls::Error),
    #[error("a record is not what its sender encrypted")]
    Decrypt,
    #[error("a record is too long")]
    TooLong,
    #[error("a record or message is malformed")]
    Malformed,
    #[error("a record or message has no place here")]
    Unexpected,
    #[error("the peer reports: {0:?}")]
    Alert(AlertDescription),
    #[error("the peer keeps the connection busy with warnings, key updates or renegotiation")]
    TooMany,
    #[error("the connection has used up its keys")]
    Exhausted,
}

impl RecordError {
    /// What the peer is told.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        Some(match self {
            Self::Decrypt => AlertDescription::BadRecordMac,
            Self::TooLong => AlertDescription::RecordOverflow,
            Self::Malformed => AlertDescription::DecodeError,
            Self::Unexpected | Self::TooMany => AlertDescription::UnexpectedMessage,
            Self::Keys(_) | Self::Exhausted => AlertDescription::InternalError,
            Self::Alert(_) => return None,
        })
    }
}

/// What rustls still does: new keys, and tickets toward members.
enum Keeper {
    Server(KernelConnection<ServerConnectionData>),
    Client(KernelConnection<ClientConnectionData>),
}

pub(super) struct Records {
    tx: Direction,
    rx: Direction,
    keeper: Keeper,
    is_tls13: bool,
    /// A handshake message that has not arrived completely.
    message: Vec<u8>,
    key_updates: u8,
    warnings: u8,
}

/// What became of ciphertext.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    /// Bytes at its front that are done with.
    pub(super) used: usize,
    /// Bytes of plaintext.
    pub(super) plain: usize,
    /// The peer said close_notify; nothing after it counts.
    pub(super) closed: bool,
}

impl Records {
    /// The handshake must be complete, and all that rustls has to send must have been taken.
    pub(super) fn of_server(session: UnbufferedServerConnection) -> Result<Self, RecordError> {
        let (secrets, kernel) = session.dangerous_into_kernel_connection()?;
        let version = kernel.protocol_version();
        Self::new(secrets, version, Keeper::Server(kernel))
    }

    /// As [`Self::of_server`].
    pub(super) fn of_client(session: UnbufferedClientConnection) -> Result<Self, RecordError> {
        let (secrets, kernel) = session.dangerous_into_kernel_connection()?;
        let version = kernel.protocol_version();
        Self::new(secrets, version, Keeper::Client(kernel))
    }

    fn new(
        secrets: ExtractedSecrets,
        version: ProtocolVersion,
        keeper: Keeper,
    ) -> Result<Self, RecordError> {
        let is_tls13 = version == ProtocolVersion::TLSv1_3;
        Ok(Self {
            tx: Direction::new(secrets.tx, is_tls13)?,
            rx: Direction::new(secrets.rx, is_tls13)?,
            keeper,
            is_tls13,
            message: Vec::new(),
            key_updates: 0,
            warnings: 0,
        })
    }

    /// Encrypts all of `plain` into the front of `cipher`, which must have room for
    /// [`OVERHEAD_BYTES_MAX`] more for each [`PLAIN_BYTES_MAX`] begun, and for one more record.
    /// Returns how much of it is filled.
    pub(super) fn seal(&mut self, plain: &[u8], cipher: &mut [u8]) -> Result<usize, RecordError> {
        let mut filled = 0;
        for fragment in plain.chunks(PLAIN_BYTES_MAX) {
            if self.tx.sequence >= RECORDS_MAX {
                if !self.is_tls13 {
                    return Err(RecordError::Exhausted);
                }
                filled += self.update_tx(&mut cipher[filled..])?;
            }
            filled += self.seal_one(APPLICATION_DATA, fragment, &mut cipher[filled..])?;
        }
        Ok(filled)
    }

    /// Appends close_notify.
    pub(super) fn seal_close(&mut self, to: &mut Vec<u8>) -> Result<(), RecordError> {
        self.append(ALERT, &[WARNING, AlertDescription::CloseNotify.into()], to)
    }

    /// Appends the alert that tells the peer of our end.
    pub(super) fn seal_fatal(
        &mut self,
        alert: AlertDescription,
        to: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        self.append(ALERT, &[FATAL, alert.into()], to)
    }

    /// Decrypts the whole records at the front of `cipher` for which `plain` has room; with room
    /// for [`CIPHER_BYTES_MAX`] there is progress. What has to be answered is appended to `answers`.
    pub(super) fn open(
        &mut self,
        cipher: &[u8],
        plain: &mut [u8],
        answers: &mut Vec<u8>,
    ) -> Result<Opened, RecordError> {
        let mut opened = Opened::default();
        while let Some((header, rest)) = cipher[opened.used..].split_first_chunk() {
            let &[kind, major, _, high, low] = header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            if major != 3 {
                return Err(RecordError::Malformed);
            }
            if length > CIPHER_BYTES_MAX {
                return Err(RecordError::TooLong);
            }
            let (Some(body), Some(room)) =
                (rest.get(..length), plain.get_mut(opened.plain..opened.plain + length))
            else {
                break;
            };
            let (kind, length) = self.open_one(kind, body, room)?;
            opened.used += HEADER_BYTES + body.len();
            let content = &room[..length];
            if !self.message.is_empty() && kind != HANDSHAKE {
                return Err(RecordError::Unexpected);
            }
            match kind {
                APPLICATION_DATA => {
                    opened.plain += length;
                    self.key_updates = 0;
                }
                ALERT => {
                    if self.alert(content)? {
                        opened.closed = true;
                        break;
                    }
                }
                HANDSHAKE if self.is_tls13 => self.messages(content, answers)?,
                HANDSHAKE => self.refuse_renegotiation(content, answers)?,
                _ => return Err(RecordError::Unexpected),
            }
        }
        Ok(opened)
    }

    /// Decrypts one record's body into `room`; returns its true kind and the length of its content.
    fn open_one(
        &mut self,
        kind: u8,
        body: &[u8],
        room: &mut [u8],
    ) -> Result<(u8, usize), RecordError> {
        if self.is_tls13 && kind != APPLICATION_DATA {
            return Err(RecordError::Unexpected);
        }
        let plain = self.rx.open(self.is_tls13, kind, body, room)?;
        let (kind, length) = if self.is_tls13 {
            // Behind the content come its kind and any number of zeros.
            let at = plain.iter().rposition(|&byte| byte != 0).ok_or(RecordError::Unexpected)?;
            (plain[at], at)
        } else {
            (kind, plain.len())
        };
        if length > PLAIN_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        Ok((kind, length))
    }

    /// Returns whether it is the end.
    fn alert(&mut self, content: &[u8]) -> Result<bool, RecordError> {
        let &[level, description] = content else { return Err(RecordError::Malformed) };
        let description = AlertDescription::from(description);
        let may_be_passed_over = match self.is_tls13 {
            true => description == AlertDescription::UserCanceled,
            false => level == WARNING,
        };
        match description {
            AlertDescription::CloseNotify => Ok(true),
            _ if may_be_passed_over => self.count_warning().map(|()| false),
            _ => Err(RecordError::Alert(description)),
        }
    }

    fn count_warning(&mut self) -> Result<(), RecordError> {
        self.warnings += 1;
        if self.warnings > WARNINGS_MAX { Err(RecordError::TooMany) } else { Ok(()) }
    }

    /// TLS 1.2: the one message that may come is a request to negotiate anew, which is declined.
    fn refuse_renegotiation(
        &mut self,
        content: &[u8],
        answers: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let request = match self.keeper {
            Keeper::Server(_) => CLIENT_HELLO,
            Keeper::Client(_) => HELLO_REQUEST,
        };
        if content.first() != Some(&request) {
            return Err(RecordError::Unexpected);
        }
        self.count_warning()?;
        self.append(ALERT, &[WARNING, AlertDescription::NoRenegotiation.into()], answers)
    }

    /// TLS 1.3: takes whole messages off `content` and what came before, keeps the rest.
    fn messages(&mut self, content: &[u8], answers: &mut Vec<u8>) -> Result<(), RecordError> {
        let limit = match self.keeper {
            // A client has nothing to say but that it takes a new key.
            Keeper::Server(_) => KEY_UPDATE_MESSAGE.len(),
            Keeper::Client(_) => MESSAGE_BYTES_MAX,
        };
        if content.is_empty() || self.message.len() + content.len() > limit {
            return Err(RecordError::Malformed);
        }
        let mut all = std::mem::take(&mut self.message);
        all.extend_from_slice(content);
        let mut rest = &all[..];
        while let Some((&[kind, a, b, c], behind)) = rest.split_first_chunk() {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            let Some((body, behind)) = behind.split_at_checked(length) else { break };
            rest = behind;
            match (kind, &mut self.keeper) {
                (KEY_UPDATE, _) => {
                    // The next byte is encrypted with the new key, so none may stand in this record.
                    if !rest.is_empty() {
                        return Err(RecordError::Unexpected);
                    }
                    self.update_rx(body, answers)?;
                }
                (NEW_SESSION_TICKET, Keeper::Client(keeper)) => {
                    keeper.handle_new_session_ticket(body)?;
                }
                _ => return Err(RecordError::Unexpected),
            }
        }
        self.message = rest.to_vec();
        Ok(())
    }

    fn update_rx(&mut self, body: &[u8], answers: &mut Vec<u8>) -> Result<(), RecordError> {
        let asked = match body {
            [0] => false,
            [1] => true,
            _ => return Err(RecordError::Malformed),
        };
        self.key_updates += 1;
        if self.key_updates > KEY_UPDATES_MAX {
            return Err(RecordError::TooMany);
        }
        let (sequence, secrets) = match &mut self.keeper {
            Keeper::Server(keeper) => keeper.update_rx_secret()?,
            Keeper::Client(keeper) => keeper.update_rx_secret()?,
        };
        self.rx = Direction::new((sequence, secrets), true)?;
        if asked {
            let held = answers.len();
            answers.resize(held + OVERHEAD_BYTES_MAX + KEY_UPDATE_MESSAGE.len(), 0);
            let n = self.update_tx(&mut answers[held..])?;
            answers.truncate(held + n);
        }
        Ok(())
    }

    /// Announces and takes a new key of our own. Returns the length of the announcement.
    fn update_tx(&mut self, cipher: &mut [u8]) -> Result<usize, RecordError> {
        let n = self.seal_one(HANDSHAKE, &KEY_UPDATE_MESSAGE, cipher)?;
        let (sequence, secrets) = match &mut self.keeper {
            Keeper::Server(keeper) => keeper.update_tx_secret()?,
            Keeper::Client(keeper) => keeper.update_tx_secret()?,
        };
        self.tx = Direction::new((sequence, secrets), true)?;
        Ok(n)
    }

    fn append(&mut self, kind: u8, content: &[u8], to: &mut Vec<u8>) -> Result<(), RecordError> {
        let held = to.len();
        to.resize(held + OVERHEAD_BYTES_MAX + content.len(), 0);
        let n = self.seal_one(kind, content, &mut to[held..])?;
        to.truncate(held + n);
        Ok(())
    }

    /// Encrypts one record; returns its length.
    fn seal_one(
        &mut self,
        kind: u8,
        content: &[u8],
        cipher: &mut [u8],
    ) -> Result<usize, RecordError> {
        self.tx.seal(self.is_tls13, kind, content, cipher)
    }
}

/// The peer is not asked for a new key in return.
const KEY_UPDATE_MESSAGE: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];

#[cfg(test)]
mod tests;
